"""What every part of the stack offers to the runner; a new part is one more file like kafka.py and one line in main.py."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nativestack.config import StackConfig


@dataclass(frozen=True)
class Part:
    """One server: how it is configured, started, known to be ready, and stopped."""

    config: StackConfig

    name: ClassVar[str]
    port_settings: ClassVar[tuple[str, ...]]
    """Names of its ports in dev/stack.env, the one that clients use first."""
    clean_stop: ClassVar[signal.Signals] = signal.SIGTERM
    crash: ClassVar[signal.Signals] = signal.SIGKILL

    @property
    def ports(self) -> tuple[int, ...]:
        """All ports it listens on, the one that clients use first."""
        return tuple(self.config.port(name) for name in self.port_settings)

    @property
    def store(self) -> Path:
        """Return the folder of its data."""
        return self.config.store(self.name)

    @property
    def folder(self) -> Path:
        """Return the folder that the server runs in."""
        return self.config.data

    def configure(self) -> None:
        """Write its configuration, anew at each start: ports and settings may change from one to the next."""
        raise NotImplementedError

    def first_time(self) -> list[str] | None:
        """Command that prepares an empty data folder, run as the server's user; None where that is done."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """Return the server's command line. It must contain the path of the data folder, by which it is known."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it answers; an open port alone is too early."""
        raise NotImplementedError

    def once_ready(self) -> None:
        """Do what needs the running server; called after each start, so it must be safe to repeat."""
