"""All settings of the running system in one frozen value, read once from the environment by the composition root.

A variable ``THECAFLOW_<FIELD>`` sets a field. What is not set comes from dev/stack.env (itself overridable by variables
of its own names, such as KAFKA_PORT), and where that file does not exist from the usual ports on this machine.
"""

import hashlib
import os
import platform
from collections.abc import Mapping, MutableMapping
from pathlib import Path

import msgspec

from contract.errors import ThecaflowError
from thecaflow.stack_env import cache_folder, read_stack_env, stack_data

PREFIX = "THECAFLOW_"
CONSOLE_KEY_LETTERS = 16
"""A shorter key could be found by trying, by whoever has one sealed cookie."""
KERNELS = Path(__file__).resolve().parent.parent / "kernels"


class SettingsError(ThecaflowError):
    """A setting in the environment cannot be used; the message names the variable."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the parts are and how big they are; see dev/stack.env for the reasons of the defaults."""

    kafka: str = "127.0.0.1:9092"
    """Bootstrap servers, host:port separated by commas."""
    database: str = "postgresql://postgres@127.0.0.1:5432/thecaflow"
    """libpq URL of the TimescaleDB database."""
    events_topic: str = "pump-events"
    facts_topic: str = "pump-facts"
    topic_partitions: int = 12
    """Of either topic, for good: a pump's partition is its key modulo this number."""
    topic_retention_days: float = 30.0
    topic_replicas: int = 1
    consumer_group: str = "thecaflow-worker"
    bind_host: str = "127.0.0.1"
    """Address that our servers listen on; the loopback unless somebody says otherwise."""
    gateway_port: int = 8080
    console_port: int = 8081
    worker_port: int = 8100
    """Metrics and health of the first worker; the next ones take the next ports."""
    gateway_url: str = ""
    """Where people's commands and the console post to; empty: the gateway's port on this machine."""
    console_url: str = ""
    """Where people's commands ask, and what links to the console begin with; empty: its port on this machine."""
    prometheus_url: str = "http://127.0.0.1:9090"
    alertmanager_url: str = "http://127.0.0.1:9093"
    pager_port: int = 8085
    """The local receiver of pages (demonstrations and tests)."""
    console_key: str = ""
    """Any long secret text: seals the console's session cookies. Empty: a new one at each start, so a restart logs out."""
    database_limit_gb: float = 0.0
    """The size at which the database's disk is full, for the alert before it; 0: not known."""
    run_folder: str = ""
    """Where ``make demo`` leaves pid files and logs, so that ``make down`` finds what it started."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings from ``environ`` (default: the process's own).

        Raises SettingsError naming the variable that is malformed; variables of other names are left to others.
        """
        environ = os.environ if environ is None else environ
        fields = {**_from_stack(read_stack_env(environ), environ), **_from_variables(environ)}
        try:
            settings = msgspec.convert(fields, cls, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"a {PREFIX}* variable is wrong: {error}") from error
        if settings.topic_partitions < 1:
            raise SettingsError(
                f"{PREFIX}TOPIC_PARTITIONS must be 1 or more, not {settings.topic_partitions}"
            )
        if 0 < len(settings.console_key) < CONSOLE_KEY_LETTERS:
            raise SettingsError(
                f"{PREFIX}CONSOLE_KEY needs {CONSOLE_KEY_LETTERS} characters or more, by lot: `openssl rand -hex 32`"
            )
        return settings.with_changes(
            gateway_url=settings.gateway_url or f"http://127.0.0.1:{settings.gateway_port}",
            console_url=settings.console_url or f"http://127.0.0.1:{settings.console_port}",
        )

    def with_changes(self, **changes: str | float) -> "Settings":
        """Return a copy with some fields changed (command line options, tests)."""
        return msgspec.structs.replace(self, **changes)

    def to_env(self) -> dict[str, str]:
        """Return the variables that make :meth:`from_env` in another process give this same value."""
        return {
            f"{PREFIX}{name.upper()}": str(setting) for name, setting in msgspec.structs.asdict(self).items()
        }


def _from_variables(environ: Mapping[str, str]) -> dict[str, str]:
    known = set(Settings.__struct_fields__)
    found = {}
    for variable, text in environ.items():
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and name in known:
            found[name] = text
    return found


def _from_stack(stack: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    run_folder = {"run_folder": str(stack_data(environ) / "run" / "app")}
    if not stack:
        return run_folder
    return run_folder | {
        "kafka": f"127.0.0.1:{stack['KAFKA_PORT']}",
        "database": f"postgresql://{stack['PG_USER']}@127.0.0.1:{stack['PG_PORT']}/{stack['PG_DATABASE']}",
        "events_topic": stack["EVENTS_TOPIC"],
        "facts_topic": stack["FACTS_TOPIC"],
        "topic_partitions": stack["TOPIC_PARTITIONS"],
        "topic_retention_days": stack["TOPIC_RETENTION_DAYS"],
        "gateway_port": stack["GATEWAY_PORT"],
        "console_port": stack["CONSOLE_PORT"],
        "worker_port": stack["WORKER_PORT"],
        "prometheus_url": f"http://127.0.0.1:{stack['PROMETHEUS_PORT']}",
        "alertmanager_url": f"http://127.0.0.1:{stack['ALERTMANAGER_PORT']}",
        "pager_port": stack["PAGER_PORT"],
    }


def numba_cache_folder(environ: Mapping[str, str], kernels: Path = KERNELS) -> Path:
    """Return the folder of compiled kernels, another one for every change in any kernel file.

    Numba notices a change in a kernel's own file only, not in the functions it calls from other files.
    """
    digest = hashlib.blake2b(platform.python_version().encode(), digest_size=8)
    for file in sorted(kernels.glob("**/*.py")):
        digest.update(file.relative_to(kernels).as_posix().encode() + b"\0" + file.read_bytes())
    return cache_folder(environ) / "numba" / digest.hexdigest()


def use_numba_cache(environ: MutableMapping[str, str] | None = None) -> None:
    """Point numba at our cache; call it before the first import of numba. A NUMBA_CACHE_DIR already set is kept."""
    environ = os.environ if environ is None else environ
    if "NUMBA_CACHE_DIR" not in environ:
        environ["NUMBA_CACHE_DIR"] = str(numba_cache_folder(environ))
