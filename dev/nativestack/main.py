"""The command line of dev/stack."""

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nativestack import runner
from nativestack.alertmanager import Alertmanager
from nativestack.config import StackConfig, StackError
from nativestack.kafka import Kafka
from nativestack.part import Part
from nativestack.postgres import Postgres
from nativestack.progress import say
from nativestack.prometheus import Prometheus
from nativestack.setup import set_up

USAGE = """usage: dev/stack COMMAND [PART..]          parts: pg kafka prom am (default: all)

  setup                 fetch and lay out the programs, once; later calls return at once
  start [PART..]        start, after setup
  stop [PART..]         stop; without a part also what the thecaflow command left running
  status [PART..]       what runs; exit 1 if a part is down
  kill [PART..]         the crash of a part, for fault tests; start recovers it
  wipe [PART..|all]     stop and delete the data (of these parts); all: the programs too
  psql ARG..            psql, connected; likewise pg_dump and pg_restore
  promtool ARG..        Prometheus' tool, e.g. promtool check rules FILE
  amtool ARG..          Alertmanager's tool, aimed at this one, e.g. amtool alert; amtool silence add alertname=SiteSilent
  kafka CLASS ARG..     a Kafka tool, e.g. kafka org.apache.kafka.tools.TopicCommand --list --bootstrap-server 127.0.0.1:PORT

Versions, ports and settings: dev/stack.env; variables of the same names win. Further variables:
  STACK_HOME   folder of the programs (default: thecaflow/stack in the cache folder of root or the user)
  STACK_DATA   folder of data, logs, pid files (default: STACK_HOME): a second stack, with other ports, from the same programs
  STACK_USER   whom root runs the servers as (default nobody)
  MIRROR       a Debian mirror, only where the machine's own apt sources are not Debian's"""
POSTGRES_TOOLS = ("psql", "pg_dump", "pg_restore")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run dev/stack: exit 0 done, 1 failed with one message, 2 wrong usage."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.exit(_dispatch(words))
    except StackError as error:
        say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)


def _dispatch(words: list[str]) -> int:
    command, rest = (words[0], words[1:]) if words else ("", [])
    config = StackConfig.from_env()
    postgres, kafka = Postgres(config), Kafka(config)
    prometheus, alertmanager = Prometheus(config), Alertmanager(config)
    every: tuple[Part, ...] = (postgres, kafka, prometheus, alertmanager)
    parts = {part.name: part for part in every}
    if command in POSTGRES_TOOLS:
        _replace_us([postgres.program(command), *rest], postgres.client_environment())
    if command == "promtool":
        _replace_us([str(config.programs / command), *rest], {})
    if command == "amtool":
        _replace_us(alertmanager.tool(*rest), {})
    if command == "kafka" and rest:
        _replace_us(kafka.java(*rest), {})
    if command == "wipe" and rest == ["all"]:
        return _wipe_all(config, list(parts.values()))
    unknown = [word for word in rest if word not in parts]
    actions = ("setup", "start", "stop", "status", "kill", "wipe")
    if command not in actions or unknown:
        print(USAGE, file=sys.stdout if command in ("-h", "--help", "help") else sys.stderr)
        return 0 if command in ("-h", "--help", "help") else 2
    chosen = [parts[name] for name in rest] or list(parts.values())
    return _act(config, command, chosen, everything=not rest)


def _act(config: StackConfig, command: str, chosen: list[Part], *, everything: bool) -> int:
    if command == "status":
        return 0 if runner.status(config, chosen) else 1
    if command in ("setup", "start"):
        with _locked(config.home):
            set_up(config)
    if command == "setup":
        return 0
    with _locked(config.data):
        if command == "start":
            runner.start(config, chosen)
            return 0
        if everything and command != "kill":
            runner.stop_app(config)
        runner.stop(config, chosen, crash=command == "kill")
        if command == "wipe":
            for part in chosen:
                shutil.rmtree(part.store, ignore_errors=True)
                say(f"{part.name} wiped")
    return 0


def _wipe_all(config: StackConfig, parts: list[Part]) -> int:
    """Delete by name, never the folder itself: STACK_HOME may hold other things."""
    _act(config, "wipe", parts, everything=True)
    for folder in ("data", "log", "run", "conf"):
        shutil.rmtree(config.data / folder, ignore_errors=True)
    for folder in ("tree", "tree.new", "tree.old", "work"):
        shutil.rmtree(config.home / folder, ignore_errors=True)
    return 0


def _replace_us(command: list[str], environ: dict[str, str]) -> None:
    if not Path(command[0]).exists():
        raise StackError("not set up yet: `dev/stack setup`")
    os.execve(command[0], command, os.environ | environ)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one command at a time work in a folder; two make targets at once wait for each other."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise StackError(
            f"cannot write to {folder} ({error.strerror}): set STACK_HOME and STACK_DATA"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another command in {folder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
