"""A native stack of the tests' own: other ports and another data folder than `make up` uses, the same programs.

Several test runs may go on at once on one machine: each takes the first free slot of ports, held by a file lock that
ends with the process, however it ends.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from thecaflow.settings import Settings
from thecaflow.stack_env import read_stack_env, stack_home

STACK = Path(__file__).resolve().parent.parent / "dev" / "stack"
SLOTS = 20
PORTS_A_SLOT = 20
CORE = ("pg", "kafka")
PORTS = {  # by their place in the slot; a second console takes the port after the first, workers the four from theirs
    "PG_PORT": 0,
    "KAFKA_PORT": 1,
    "KAFKA_CONTROLLER_PORT": 2,
    "PROMETHEUS_PORT": 3,
    "ALERTMANAGER_PORT": 4,
    "PAGER_PORT": 5,
    "GATEWAY_PORT": 6,
    "CONSOLE_PORT": 7,
    "WORKER_PORT": 9,
}


@dataclass(frozen=True)
class NativeStack:
    """A running Kafka and TimescaleDB; Prometheus and Alertmanager where a test starts them.

    Parts are called "pg", "kafka", "prom" and "am", as in dev/stack.
    """

    environ: dict[str, str]
    """The whole environment under which dev/stack and thecaflow mean this stack."""
    home: Path
    """Its data folder: log/kafka.log and log/pg.log are there."""

    def run(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Run ``dev/stack ARGUMENTS`` on this stack and return its output; raises with its messages."""
        command = [sys.executable, str(STACK), *arguments]
        done = subprocess.run(command, env=self.environ, input=stdin, capture_output=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"dev/stack {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def start(self, *parts: str) -> None:
        """Start parts (none: the log and the database) and wait until they answer; those that run are left alone."""
        self.run("start", *(parts or CORE))

    def stop(self, *parts: str) -> None:
        """Stop parts cleanly."""
        self.run("stop", *parts)

    def kill(self, *parts: str) -> None:
        """Let parts (none: the log and the database) crash."""
        self.run("kill", *(parts or CORE))

    @contextmanager
    def paused(self, part: str) -> Iterator[None]:
        """Freeze a part: its connections stay open and nothing answers."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def pid(self, part: str) -> int:
        """Process id of a part."""
        return int((self.home / "run" / f"{part}.pid").read_text())

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run SQL as the superuser; returns rows as lines, columns separated by ``|``."""
        options = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement)
        return self.run("psql", *options).decode().strip()

    def dump(self, database: str) -> bytes:
        """Return a pg_dump of one database in the custom format."""
        return self.run("pg_dump", "-Fc", "-d", database)

    def restore(self, database: str, dump: bytes) -> None:
        """Replace a database by a dump, the way TimescaleDB wants it."""
        self.drop_database(database)
        self.create_database(database)
        self.sql("SELECT timescaledb_pre_restore()", database)
        self.run("pg_restore", "--no-owner", "-d", database, stdin=dump)
        self.sql("SELECT timescaledb_post_restore()", database)

    def create_database(self, name: str) -> None:
        """Make an empty database with the extension."""
        self.sql(f'CREATE DATABASE "{name}"')
        self.sql("CREATE EXTENSION timescaledb", name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @contextmanager
    def fresh(self, run_folder: Path) -> Iterator[Settings]:
        """Settings with a database of their own and topic names that nobody has used; the topics are not made."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.start()  # an earlier test may have ended in the middle of its crash
        self.create_database(name)
        base = Settings.from_env(self.environ)
        try:
            yield base.with_changes(
                database=f"{base.database.rpartition('/')[0]}/{name}",
                events_topic=f"events-{name}",
                facts_topic=f"facts-{name}",
                consumer_group=f"group-{name}",
                run_folder=str(run_folder),
            )
        finally:
            self.start()
            self.drop_database(name)


@contextmanager
def native_stack(*parts: str) -> Iterator[NativeStack]:
    """Start parts (none: the log and the database) in the first free slot, with empty data, and stop all at the end."""
    folder = stack_home(os.environ) / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    slot, lock = _take_slot(folder)
    with lock:
        stack = NativeStack(environ=_slot_environment(slot, folder), home=folder / f"slot-{slot}")
        stack.run("wipe")  # what a killed run left behind, its processes too
        try:
            stack.start(*parts)
            yield stack
        finally:
            stack.stop()
            shutil.rmtree(stack.home / "data", ignore_errors=True)


def _take_slot(folder: Path) -> tuple[int, TextIO]:
    for slot in range(SLOTS):
        lock = (folder / f"slot-{slot}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return slot, lock
    raise AssertionError(f"{SLOTS} test runs at once on this machine: wait for one to end")


def _slot_environment(slot: int, folder: Path) -> dict[str, str]:
    first = int(read_stack_env(os.environ)["TEST_PORT_BASE"]) + slot * PORTS_A_SLOT
    ports = {name: str(first + place) for name, place in PORTS.items()}
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("THECAFLOW_")}
    return inherited | ports | {"STACK_DATA": str(folder / f"slot-{slot}")}
