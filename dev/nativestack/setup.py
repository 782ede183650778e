"""Sets the stack's programs up, once: fetch, lay out, fetch Kafka, stamp."""

import hashlib
import shutil
import subprocess
import time

from nativestack import debian, maven, tree
from nativestack.config import StackConfig, StackError
from nativestack.progress import say

LAYOUT = "1"  # raise it with every change in how the tree is laid out
VERSION_SETTINGS = (
    "KAFKA_VERSION",
    "KAFKA_SCALA_VERSION",
    "LOG4J_VERSION",
    "DEBIAN_SUITE",
    "JAVA_MAJOR",
    "POSTGRES_MAJOR",
    "TIMESCALEDB_VERSION",
)


def set_up(config: StackConfig) -> None:
    """Make the tree, or return at once where it is ready. Raises StackError saying what is missing.

    The stamp holds all that the tree depends on: another version, package or folder sets up anew.
    """
    stamp = _stamp(config)
    stamp_file = config.tree / "ready"
    if stamp_file.exists() and stamp_file.read_text() == stamp:
        return
    began = time.monotonic()
    say(f"setting up in {config.home} (once; about half a minute, 230 MB to fetch, 600 MB on disk)")
    debian.check_machine()
    work = config.home / "work"
    shutil.rmtree(work, ignore_errors=True)
    tree.lay_out(config, debian.fetch(config, work / "apt"))
    maven.fetch_kafka(config, work / "maven")
    _check_versions(config)
    shutil.rmtree(work)  # no start needs it
    stamp_file.write_text(stamp)
    say(f"set up after {time.monotonic() - began:.0f} s")


def _stamp(config: StackConfig) -> str:
    parts = [LAYOUT, str(config.tree), *(config[name] for name in VERSION_SETTINGS), *debian.packages(config)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _check_versions(config: StackConfig) -> None:
    """Run each program once and compare what was asked for with what came."""
    for program in (config.postgres_bin / "postgres", config.java_home / "bin/java"):
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        if shown.returncode != 0:
            raise StackError(f"{program.name} does not run from {config.tree}: {shown.stderr.strip()}")
        say(f"  {shown.stdout.splitlines()[0]}")
    came = next(
        line.split("\t")[1]
        for line in (config.tree / "versions.txt").read_text().splitlines()
        if line.startswith(f"postgresql-{config['POSTGRES_MAJOR']}-timescaledb")
    )
    say(f"  TimescaleDB {came}, Apache Kafka {config['KAFKA_VERSION']}")
    if not came.startswith(config["TIMESCALEDB_VERSION"]):
        say(f"  note: dev/stack.env and docker-compose.yml say {config['TIMESCALEDB_VERSION']}")
