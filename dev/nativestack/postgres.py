"""PostgreSQL with TimescaleDB."""

import signal
import subprocess
from typing import ClassVar

from nativestack.config import StackError
from nativestack.part import Part


class Postgres(Part):
    """The database server, on the loopback only and open to everybody on this machine: it holds made-up pumps."""

    name: ClassVar[str] = "pg"
    port_settings: ClassVar[tuple[str, ...]] = ("PG_PORT",)
    clean_stop: ClassVar[signal.Signals] = signal.SIGINT  # "fast": does not wait for clients to leave
    crash: ClassVar[signal.Signals] = (
        signal.SIGQUIT
    )  # "immediate": no checkpoint; KILL would orphan its children

    def configure(self) -> None:
        """Write pg.conf, which the data folder's postgresql.conf includes."""
        own = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.ports[0]),
            # Its path may not exceed 107 characters, which a cache folder's can.
            "unix_socket_directories": "",
        }
        chosen = {
            name.replace("__", "."): text for name, text in self.config.settings_after("PG_SET_").items()
        }
        lines = [f"{name} = '{text}'\n" for name, text in (own | chosen).items()]
        self.config.conf("pg.conf").write_text("".join(lines))

    def first_time(self) -> list[str] | None:
        """Make the cluster. The locale is built in, so the machine's locales do not matter."""
        if (self.store / "PG_VERSION").exists():
            return None
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        initdb = [
            str(self.config.postgres_bin / "initdb"),
            "-D",
            str(self.store),
            "-U",
            self.config["PG_USER"],
        ]
        return [*initdb, "--auth=trust", "--encoding=UTF8", *locale, "--no-sync", "--no-instructions"]

    def command(self) -> list[str]:
        """Return the server's command line; the included configuration wins over what initdb wrote."""
        included = self.store / "postgresql.conf"
        line = f"include '{self.config.conf('pg.conf')}'\n"
        if line not in included.read_text():
            with included.open("a", encoding="utf-8") as file:
                file.write(line)
        return [str(self.config.postgres_bin / "postgres"), "-D", str(self.store)]

    def program(self, name: str) -> str:
        """Path of a client program: psql, pg_dump, pg_restore, ..."""
        return str(self.config.postgres_bin / name)

    def client_environment(self) -> dict[str, str]:
        """Variables that make any client program connect to this server; its own options win over them."""
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(self.ports[0]), "PGUSER": self.config["PG_USER"]}
        return where | {"PGDATABASE": self.config["PG_DATABASE"], "LC_ALL": "C"}

    def ready(self) -> bool:
        """Whether it accepts connections (not while it recovers from a crash)."""
        command = [self.program("pg_isready"), "-q"]
        return (
            subprocess.run(
                command, check=False, capture_output=True, env=self.client_environment()
            ).returncode
            == 0
        )

    def once_ready(self) -> None:
        """Make our database where it is missing, with the extension, as the image's entry point does."""
        database = self.config["PG_DATABASE"]
        if self._sql("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{database}'") != "1":
            self._sql("postgres", f'CREATE DATABASE "{database}"')
        self._sql(database, "CREATE EXTENSION IF NOT EXISTS timescaledb")

    def _sql(self, database: str, statement: str) -> str:
        bare = [self.program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        command = [*bare, "-d", database, "-c", statement]
        environ = self.client_environment()
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ)
        if done.returncode != 0:
            raise StackError(f"{statement!r} failed: {done.stderr.strip()}")
        return done.stdout.strip()
