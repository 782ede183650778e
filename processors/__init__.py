"""What decides: timeline, fold, alerts and the agent that feeds them."""
