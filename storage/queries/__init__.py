"""Named SQL: one file a statement, read once. Parameters are positional, as PostgreSQL wants them."""

from functools import cache
from importlib.resources import files


@cache
def named(name: str) -> str:
    """Return the text of ``storage/queries/<name>.sql``."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
