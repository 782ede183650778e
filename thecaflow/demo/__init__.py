"""The demonstration: a labelled fleet through every real part, and a grade at its end."""
