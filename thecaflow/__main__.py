"""``python -m thecaflow``."""

from thecaflow.cli import main

main()
