"""A Kafka and TimescaleDB of the bench's own, on free ports and empty data, stopped at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.native import native_stack
from thecaflow.settings import Settings


@contextmanager
def own_stack() -> Iterator[Settings]:
    """Settings that mean it, with an empty database and unused topic names."""
    with (
        tempfile.TemporaryDirectory(prefix="thecaflow-bench-") as folder,
        native_stack() as stack,
        stack.fresh(Path(folder)) as settings,
    ):
        yield settings
