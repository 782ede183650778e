"""One module a command, found by its file name."""
