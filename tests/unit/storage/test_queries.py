import re
from pathlib import Path

from storage.migrate import shipped
from storage.queries import named

STORAGE = Path(__file__).resolve().parents[3] / "storage"
USED = re.compile(r'named\((f?)"([^"]+)"\)')
COMMUNITY = re.compile(
    r"timescaledb\.compress|add_\w*_policy|add_job|continuous|time_bucket_gapfill|locf|interpolate",
    re.IGNORECASE,
)


def test_every_named_query_exists_and_every_file_is_used():
    """A name without a file would fail at run time only; a file without a name is dead."""
    used: set[str] = set()
    for source in STORAGE.glob("*.py"):
        for formatted, name in USED.findall(source.read_text()):
            kinds = ("dose", "forecast", "alert") if formatted else ("",)
            used |= {name.replace("{kind}", kind) for kind in kinds}
    assert used == {file.stem for file in (STORAGE / "queries").glob("*.sql")}
    assert all(named(name).strip() for name in used)


def test_only_the_apache_features_are_used():
    """The Debian build refuses everything else, and so must the image's."""
    texts = [migration.sql for migration in shipped()] + [
        f.read_text() for f in (STORAGE / "queries").glob("*.sql")
    ]
    assert not [text for text in texts if COMMUNITY.search(text)]


def test_migrations_are_numbered_without_a_gap():
    """Two branches that both add the next number are found before a database is."""
    assert [migration.number for migration in shipped()] == list(range(1, len(shipped()) + 1))
    assert len({migration.checksum for migration in shipped()}) == len(shipped())
