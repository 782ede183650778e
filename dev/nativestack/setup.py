"""Sets the stack's programs up, once: fetch, lay out, fetch Kafka, stamp."""

import hashlib
import shutil
import subprocess
import time

from nativestack import debian, maven, tree
from nativestack.config import StackConfig, StackError
from nativestack.progress import say

LAYOUT = "2"  # raise it with every change in how the tree is laid out
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
    say(f"setting up in {config.home} (once; about half a minute, about 300 MB to fetch, 650 MB on disk)")
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
    servers = (config.programs / "prometheus", config.programs / "prometheus-alertmanager")
    for program in (config.postgres_bin / "postgres", config.java_home / "bin/java", *servers):
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        if shown.returncode != 0:
            raise StackError(f"{program.name} does not run from {config.tree}: {shown.stderr.strip()}")
        say(f"  {shown.stdout.splitlines()[0]}")
    came = dict(line.split("\t") for line in (config.tree / "versions.txt").read_text().splitlines())
    say(f"  TimescaleDB {came[_timescaledb(config)]}, Apache Kafka {config['KAFKA_VERSION']}")
    packaged = {
        _timescaledb(config): "TIMESCALEDB_VERSION",
        "prometheus": "PROMETHEUS_VERSION",
        "prometheus-alertmanager": "ALERTMANAGER_VERSION",
    }
    for package, setting in packaged.items():
        if not came[package].startswith(config[setting]):
            say(
                f"  note: {package} is {came[package]}; dev/stack.env and docker-compose.yml say {config[setting]}"
            )


def _timescaledb(config: StackConfig) -> str:
    return f"postgresql-{config['POSTGRES_MAJOR']}-timescaledb"
