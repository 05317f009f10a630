"""The source of the dashboards: each panel once, and a module for each query language."""
