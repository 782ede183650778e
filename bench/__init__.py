"""What measures, apart from what tests: `python -m bench` runs every promised ratio and prints one table."""
