"""A simulated fleet at a stated rate: what is sent when, what became of it, and the report of both."""
