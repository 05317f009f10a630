"""Grafana's JSON: what all dashboards and panels have in common. Types: `@grafana/schema`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

SCHEMA_VERSION = 41
WIDTH = 24
THRESHOLDS_NONE = [("green", None)]


@dataclass
class Panel:
    """A panel, independent of the query language.

    kind: stat, timeseries, bars (a bar for each value), events (columns over time) or table.
    queries: a function from the language to the panel's targets; none if the language can't express the panel.
    """

    title: str
    description: str
    unit: str
    kind: str
    queries: Callable[[ModuleType], list[dict] | None]
    width: int
    height: int = 8
    thresholds: list = field(default_factory=lambda: THRESHOLDS_NONE)
    decimals: int | None = None
    minimum: float | None = None
    colors: dict = field(default_factory=dict)


@dataclass
class Row:
    """A heading above the panels that follow."""

    title: str


def dashboard(uid, title, description, language, variables, panels, annotations=(), since="now-1h"):
    source = {"type": language.SOURCE, "uid": "${datasource}"}
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["quipu", language.SOURCE],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        # The panels share the crosshair, so that run events and duplicates can be compared in time.
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": since, "to": "now"},
        "timepicker": {"refresh_intervals": ["5s", "10s", "30s", "1m", "5m"]},
        "links": [
            {
                "title": "Quipu",
                "type": "dashboards",
                "tags": ["quipu", language.SOURCE],
                "asDropdown": False,
                "icon": "external link",
                "includeVars": False,
                "keepTime": True,
                "targetBlank": False,
                "tooltip": "The other dashboards of Quipu",
                "url": "",
            }
        ],
        "templating": {"list": [data_source(language), *variables]},
        "annotations": {"list": list(annotations)},
        "panels": laid_out(panels, language, source),
    }


def data_source(language):
    return {
        "name": "datasource",
        "label": "Data source",
        "description": "Where the totals are read from",
        "type": "datasource",
        "query": language.SOURCE,
        "refresh": 1,
        "multi": False,
        "includeAll": False,
    }


def query_variable(source, name, label, description, query, regex="", multi=False, sort=1, every=".*"):
    """A variable whose values come from the data source; `every` is the value for "All"."""
    found = {
        "name": name,
        "label": label,
        "description": description,
        "type": "query",
        "datasource": {"type": source, "uid": "${datasource}"},
        "query": query,
        "refresh": 2,
        "regex": regex,
        "sort": sort,
        "multi": multi,
        "includeAll": multi,
    }
    return found | {"allValue": every} if multi else found


def choice(name, label, description, values):
    """A variable with fixed values; the first one is the default."""
    options = [{"text": value, "value": value, "selected": value == values[0]} for value in values]
    return {
        "name": name,
        "label": label,
        "description": description,
        "type": "custom",
        "query": ",".join(values),
        "options": options,
        "current": options[0],
        "multi": False,
        "includeAll": False,
    }


def laid_out(panels, language, source):
    """Places the panels from left to right, and starts a new line when the width is used up. Ids are in list order."""
    placed, x, y, line_height = [], 0, 0, 0
    for panel in panels:
        if isinstance(panel, Row):
            y, x, line_height = y + line_height, 0, 0
            placed.append(row(panel, len(placed) + 1, y))
            y += 1
            continue
        targets = panel.queries(language)
        if not targets:
            continue
        if x + panel.width > WIDTH:
            x, y, line_height = 0, y + line_height, 0
        position = {"x": x, "y": y, "w": panel.width, "h": panel.height}
        placed.append(rendered(panel, language, len(placed) + 1, position, targets, source))
        x, line_height = x + panel.width, max(line_height, panel.height)
    return placed


def row(panel, number, y):
    position = {"x": 0, "y": y, "w": WIDTH, "h": 1}
    return {"id": number, "type": "row", "title": panel.title, "collapsed": False, "gridPos": position, "panels": []}


def rendered(panel, language, number, position, targets, source):
    letters = "ABCDEFGH"
    made = {
        "id": number,
        "type": {"bars": "bargauge", "events": "timeseries"}.get(panel.kind, panel.kind),
        "title": panel.title,
        "description": panel.description,
        "gridPos": position,
        "datasource": source,
        "targets": [{"refId": letters[index], "datasource": source, **target} for index, target in enumerate(targets)],
        "fieldConfig": {"defaults": defaults(panel), "overrides": [colored(*pair) for pair in panel.colors.items()]},
        "options": OPTIONS[panel.kind](language),
        "transformations": TABLE if panel.kind == "table" else [],
    }
    return made | {"interval": language.INTERVAL} if language.INTERVAL else made


def defaults(panel):
    config = {
        "unit": panel.unit,
        "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic-by-name"},
        "thresholds": {"mode": "absolute", "steps": [{"color": c, "value": v} for c, v in panel.thresholds]},
        "custom": CUSTOM.get(panel.kind, dict)(),
    }
    if panel.decimals is not None:
        config["decimals"] = panel.decimals
    if panel.minimum is not None:
        config["min"] = panel.minimum
    return config


def colored(name, color):
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
    }


def last(values=False):
    """One number for each series, or with `values` one for each row of a table."""
    return {"calcs": ["lastNotNull"], "fields": "", "values": values}


def stat(_):
    return {
        "reduceOptions": last(),
        "orientation": "auto",
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "textMode": "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }


def timeseries(_):
    return {
        "legend": {"showLegend": True, "displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def bars(language):
    return {
        "reduceOptions": last(values=language.BARS_ARE_ROWS),
        "orientation": "horizontal",
        "displayMode": "basic",
        "valueMode": "color",
        "namePlacement": "auto",
        "sizing": "auto",
        "showUnfilled": True,
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 300,
        "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom", "calcs": []},
    }


def table(_):
    return {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}


OPTIONS = {"stat": stat, "timeseries": timeseries, "events": timeseries, "bars": bars, "table": table}

LINE = {"lineWidth": 2, "fillOpacity": 8, "showPoints": "never", "axisSoftMin": 0, "spanNulls": 120_000}
COLUMNS = {"drawStyle": "bars", "fillOpacity": 60, "lineWidth": 1, "showPoints": "never", "axisSoftMin": 0}
CUSTOM = {
    "timeseries": lambda: {"drawStyle": "line", "lineInterpolation": "linear", **LINE},
    "events": lambda: {**COLUMNS, "stacking": {"mode": "normal", "group": "A"}},
    "table": lambda: {"align": "auto", "inspect": False, "filterable": True},
}

# Merges the series into one table with a row for each.
TABLE = [{"id": "merge", "options": {}}]
