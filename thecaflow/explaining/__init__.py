"""Why an alert was raised: its lines, its evidence, what its detector knew, and the channels around it."""
