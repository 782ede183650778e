"""What the stack is made of and where it lives: dev/stack.env, the environment and the folders that follow from them."""

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from thecaflow.stack_env import read_stack_env, stack_data, stack_home

LIBRARIES = "usr/lib/x86_64-linux-gnu"
LOADER = "ld-linux-x86-64.so.2"


class StackError(Exception):
    """The stack cannot do what was asked; the message says what to do next."""


@dataclass(frozen=True)
class StackConfig:
    """Settings and folders of one stack. Two stacks may share ``home`` (programs) with ``data`` folders of their own."""

    home: Path
    data: Path
    settings: Mapping[str, str]
    server_user: str | None
    """Whom root runs the servers as (PostgreSQL refuses root); None: as ourselves."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "StackConfig":
        """Read dev/stack.env, overridden by the environment. Raises StackError for a folder that cannot be used."""
        environ = os.environ if environ is None else environ
        home, data = stack_home(environ), stack_data(environ)
        for name, folder in (("STACK_HOME", home), ("STACK_DATA", data)):
            if any(character.isspace() or character in "\"'" for character in str(folder)):
                raise StackError(f"{name}={folder}: needs a path without spaces and quotes")
        user = environ.get("STACK_USER", "nobody") if os.getuid() == 0 else None
        return cls(home=home, data=data, settings=read_stack_env(environ), server_user=user)

    def __getitem__(self, name: str) -> str:
        """Return setting ``name`` of dev/stack.env."""
        return self.settings[name]

    def port(self, name: str) -> int:
        """Port setting ``name``. Raises StackError where it is no port."""
        text = self.settings[name]
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise StackError(f"{name}={text}: no port number")
        return int(text)

    def settings_after(self, prefix: str) -> dict[str, str]:
        """All settings whose name begins with ``prefix``, by the rest of their name."""
        return {
            name.removeprefix(prefix): text for name, text in self.settings.items() if name.startswith(prefix)
        }

    # ------------------------------------------------------------------------------------------------ folders
    @property
    def tree(self) -> Path:
        """Debian 13's programs and Kafka's jars, laid out."""
        return self.home / "tree"

    @property
    def libraries(self) -> Path:
        """The tree's shared libraries and loader."""
        return self.tree / LIBRARIES

    @property
    def postgres_bin(self) -> Path:
        """PostgreSQL's programs."""
        return self.tree / "usr/lib/postgresql" / self["POSTGRES_MAJOR"] / "bin"

    @property
    def java_home(self) -> Path:
        """The tree's Java runtime."""
        return self.tree / f"usr/lib/jvm/java-{self['JAVA_MAJOR']}-openjdk-amd64"

    @property
    def kafka_jars(self) -> Path:
        """Kafka's jars."""
        return self.tree / "kafka"

    @property
    def programs(self) -> Path:
        """Programs of the tree that are not PostgreSQL's or Java's."""
        return self.tree / "usr/bin"

    @property
    def prometheus_share(self) -> Path:
        """What Prometheus and Alertmanager read beside their configuration: pages and standard templates."""
        return self.tree / "usr/share/prometheus"

    def conf(self, name: str) -> Path:
        """Return the path of a configuration file, written anew at each start."""
        return self.data / "conf" / name

    def log(self, name: str) -> Path:
        """Return the path of a server's log."""
        return self.data / "log" / f"{name}.log"

    def store(self, name: str) -> Path:
        """Return the folder of a server's data."""
        return self.data / "data" / name

    def pid_file(self, name: str) -> Path:
        """Return the path of a server's pid file."""
        return self.data / "run" / f"{name}.pid"

    @property
    def app_run_folder(self) -> Path:
        """Where processes of the ``thecaflow`` command leave their pid files."""
        return self.data / "run" / "app"

    # -------------------------------------------------------------------------------------------- server user
    def server_ids(self) -> tuple[int, int] | None:
        """User and group id that servers run as; None: our own. Raises StackError for an unknown user."""
        if self.server_user is None:
            return None
        try:
            entry = pwd.getpwnam(self.server_user)
        except KeyError:
            raise StackError(f"STACK_USER={self.server_user}: there is no such user") from None
        return entry.pw_uid, entry.pw_gid
