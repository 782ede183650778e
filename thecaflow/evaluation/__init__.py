"""Grades alerts and forecasts against the truth about a fleet."""
