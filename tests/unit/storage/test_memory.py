import pytest

from storage.memory import MemoryStore
from storage.store import Store
from tests.unit.storage.store_suite import StoreSuite


@pytest.fixture
def store() -> Store:
    return MemoryStore()


class TestMemoryStore(StoreSuite):
    """The suite of all stores on the twin in memory."""
