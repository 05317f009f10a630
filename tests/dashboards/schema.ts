// The types of a dashboard: Grafana's own types, with the types of each panel where Grafana's have `unknown`.
import type * as grafana from '@grafana/schema';
import type * as barGauge from '@grafana/schema/dist/types/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen.d.ts';
import type * as stat from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts';
import type * as table from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts';
import type * as timeSeries from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts';

// JSON contains the values of enumerations, not their names.
type Json<T> = T extends string
  ? `${T}`
  : T extends (infer Item)[]
    ? Json<Item>[]
    : T extends object
      ? { [Key in keyof T]: Json<T[Key]> }
      : T;

type Required<T, Keys extends keyof T> = T & { [Key in Keys]-?: NonNullable<T[Key]> };

type Prometheus = {
  expr: string;
  legendFormat: string;
  editorMode: 'code';
  instant: boolean;
  range: boolean;
  format: 'time_series' | 'table';
};
type InfluxDB = { query: string };
type Graphite = { target: string; textEditor: true };
type Target = { refId: string; datasource: grafana.DataSourceRef } & (Prometheus | InfluxDB | Graphite);

type PanelOf<Type extends string, Options, Custom> = Omit<
  Required<grafana.Panel, 'id' | 'title' | 'description' | 'gridPos' | 'datasource'>,
  'type' | 'options' | 'fieldConfig' | 'targets'
> & {
  type: Type;
  options: Options;
  fieldConfig: Omit<grafana.FieldConfigSource, 'defaults'> & {
    defaults: Omit<Required<grafana.FieldConfig, 'unit'>, 'custom'> & { custom: Custom };
  };
  targets: Target[];
};

type Panel =
  | PanelOf<'stat', stat.Options, Record<string, never>>
  | PanelOf<'bargauge', Omit<barGauge.Options, 'text'>, Record<string, never>>
  | PanelOf<'timeseries', timeSeries.Options, timeSeries.FieldConfig>
  | PanelOf<'table', table.Options, Omit<table.FieldConfig, 'cellOptions'>>
  | grafana.RowPanel;

// Additional fields of an annotation that the Prometheus data source reads.
type Annotation = grafana.AnnotationQuery & { expr: string; step: string; titleFormat: string; textFormat: string };

export type Dashboard = Json<
  Omit<Required<grafana.Dashboard, 'uid' | 'title' | 'description' | 'refresh' | 'time'>, 'panels' | 'annotations'> & {
    panels: Panel[];
    annotations: { list: Annotation[] };
  }
>;
