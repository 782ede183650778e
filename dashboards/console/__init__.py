"""The console: what is open now, to people and to Prometheus, and the facts to whoever subscribes."""
