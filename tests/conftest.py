"""Fixtures for all tests. Only a test that asks for ``stack``, ``settings`` or ``topics`` waits for real servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native import NativeStack, native_stack
from thecaflow.settings import Settings, use_numba_cache

use_numba_cache()  # before any test module imports numba

NEED_THE_STACK = {"integration", "chaos"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by folder, so that no integration test can be forgotten by or run among the quick ones."""
    for item in items:
        folders = set(item.path.relative_to(Path(__file__).parent).parts)
        if folders & NEED_THE_STACK:
            item.add_marker(pytest.mark.integration)
        if "chaos" in folders:
            item.add_marker(pytest.mark.chaos)


@pytest.fixture(scope="session")
def stack() -> Iterator[NativeStack]:
    """Real Kafka and TimescaleDB, started once for the whole run and stopped at its end."""
    with native_stack() as running:
        yield running


@pytest.fixture
def settings(stack: NativeStack, tmp_path: Path) -> Iterator[Settings]:
    """Settings with a fresh database and topic names that nobody has used; neither tables nor topics are made."""
    with stack.fresh(tmp_path / "run") as fresh:
        yield fresh


@pytest.fixture
async def topics(settings: Settings) -> Settings:
    """The same settings, with their topics made."""
    from thecaflow.topics import create_topics

    await create_topics(settings)
    return settings
