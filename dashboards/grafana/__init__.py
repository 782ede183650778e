"""Grafana's boards as code: `boards/*.json` are written by `python -m dashboards.grafana.generate`."""
