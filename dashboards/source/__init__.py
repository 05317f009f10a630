"""What the dashboards are generated from: panels once, and a module for each query language."""
