"""What comes in: gateway, tokens, simulator, replay."""
