"""For commands whose exit code 1 means something else: a database that can't be used is exit 2, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from contract.errors import ThecaflowError, UnreachableError


class DatabaseUnusableError(click.ClickException):
    """The database can't be read, or what it holds was written by other rules."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Write the reason to standard error."""
        click.echo(f"thecaflow: {self.format_message()}", file=file, err=True)


@contextmanager
def database_needed() -> Iterator[None]:
    """Turn every ThecaflowError of the block into DatabaseUnusableError."""
    try:
        yield
    except UnreachableError as failed:
        hint = "`make up` starts it; THECAFLOW_DATABASE says where it is."
        raise DatabaseUnusableError(f"{failed}. {hint}") from failed
    except ThecaflowError as failed:
        raise DatabaseUnusableError(str(failed)) from failed
