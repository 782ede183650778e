"""The parts of the ablation table (dev/ablate.py)."""
