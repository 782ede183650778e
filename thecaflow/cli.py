"""The ``thecaflow`` command: a lazy group whose members are the modules of :mod:`thecaflow.commands`.

A command is a module ``thecaflow/commands/<name>.py`` that exports a click command called ``command``; an underscore in
the file name is a dash on the command line. Nothing is imported before it is asked for, so ``--help`` of one command
does not wait for another one's libraries.
"""

import ast
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from contract.errors import ThecaflowError
from thecaflow import commands, container
from thecaflow.settings import use_numba_cache

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class ReaderLeftError(Exception):
    """Whoever read our output has seen enough; nothing to mend."""


class LazyGroup(click.Group):
    """A group that finds its commands by file name and imports only the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names of all commands, in alphabetical order."""
        return sorted(
            module.name.replace("_", "-")
            for module in pkgutil.iter_modules(commands.__path__)
            if not module.name.startswith("_")
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import ``thecaflow.commands.<name>``; ``None`` if there is no such file."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"thecaflow.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a closed pipe leaves as ReaderLeftError, since click would end the process with exit 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as closed:
            raise ReaderLeftError from closed

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the first line of their docstrings, read without importing them."""
        rows = [(name, _short_help(name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _short_help(name: str) -> str:
    file = Path(commands.__path__[0]) / f"{name.replace('-', '_')}.py"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "command")
    docstring = ast.get_docstring(next(functions, tree)) or ""
    return docstring.partition("\n")[0]


EXAMPLES = """\b
Examples:
  make demo                                                  the whole path, live, in one command
  thecaflow simulate --case founding | thecaflow analyse -   a pump's forecasts and alerts, no servers needed
  thecaflow topics create                                    make the Kafka topics (again: check them)
  thecaflow gateway                                          take events over HTTP
  thecaflow worker                                           fold them into TimescaleDB
  thecaflow status                                           the fleet by time to harm

\b
Settings are environment variables THECAFLOW_*; ports and addresses default to dev/stack.env.
Exit codes: 0 done, 1 failed or not equal (the message says what to do), 2 wrong usage, 130 interrupted."""


@click.group(
    cls=LazyGroup,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="thecaflow")
def thecaflow() -> None:
    """Watch intrathecal pumps: events in, doses, forecasts and alerts out."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; bad input ends in one line on stderr, never in a stack trace."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; surprises (bugs) are the only exceptions that leave it."""
    use_numba_cache()
    try:
        container.enter()
        outcome = thecaflow.main(
            args=None if arguments is None else list(arguments), prog_name="thecaflow", standalone_mode=False
        )
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as refused:
        refused.show()
        return refused.exit_code
    except ThecaflowError as failed:
        click.echo(f"thecaflow: {failed}", err=True)
        return failed.exit_code
    except ReaderLeftError:
        # `thecaflow export | head`: the reader has what it wanted. Python would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (click.Abort, KeyboardInterrupt):
        click.echo("thecaflow: interrupted", err=True)
        return EXIT_INTERRUPTED
    return outcome if isinstance(outcome, int) else 0
