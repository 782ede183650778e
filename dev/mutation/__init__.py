"""The parts of the mutation test (dev/mutate.py)."""
