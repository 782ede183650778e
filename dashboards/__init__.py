"""What shows: console, metrics, dashboards and runbooks."""
