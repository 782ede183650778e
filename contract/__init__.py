"""The language of the system: what may be said, and how it is written."""
