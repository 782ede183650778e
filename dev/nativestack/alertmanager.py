"""Alertmanager, with the project's own routes; its webhooks go to the local receiver of pages."""

import shutil
from pathlib import Path
from typing import ClassVar

from nativestack.part import Part
from nativestack.probe import answers

SOURCE = Path(__file__).resolve().parents[2] / "dashboards" / "alertmanager"
ASKING = ("alert", "silence", "cluster")  # amtool's commands that need a server


class Alertmanager(Part):
    """The server on the loopback only; its configuration is that of the composition, only the addresses differ."""

    name: ClassVar[str] = "am"
    port_settings: ClassVar[tuple[str, ...]] = ("ALERTMANAGER_PORT",)

    @property
    def folder(self) -> Path:
        """Folder of its configuration, which it runs in: addresses and standard templates are found from there."""
        return self.config.conf("alertmanager")

    def configure(self) -> None:
        """Copy the configuration, since the server's user may not enter the checkout, and write the addresses."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        shutil.copy(SOURCE / "alertmanager.yml", self.folder)
        shutil.copytree(SOURCE / "templates", self.folder / "templates")
        # What Debian's program opens before anything else, by the path that tree.py put into it.
        (self.folder / "alertmanager").symlink_to(self.config.prometheus_share / "alertmanager")
        urls = self.folder / "urls"
        urls.mkdir()
        for receiver in (SOURCE / "urls").iterdir():
            (urls / receiver.name).write_text(f"http://127.0.0.1:{self.config['PAGER_PORT']}/{receiver.name}")

    def first_time(self) -> list[str] | None:
        """Nothing is to be prepared."""
        return None

    def command(self) -> list[str]:
        """Return the server's command line. An empty cluster address: no gossip, so no second port."""
        return [
            str(self.config.programs / "prometheus-alertmanager"),
            f"--config.file={self.folder / 'alertmanager.yml'}",
            f"--storage.path={self.store}",
            f"--web.listen-address=127.0.0.1:{self.ports[0]}",
            "--cluster.listen-address=",
        ]

    def tool(self, *arguments: str) -> list[str]:
        """Command line of amtool; an address among the arguments wins over ours, as do its own settings files."""
        ours: list[str] = []
        if arguments and arguments[0] in ASKING and not any("alertmanager.url" in word for word in arguments):
            ours = [f"--alertmanager.url=http://127.0.0.1:{self.ports[0]}"]
        return [str(self.config.programs / "amtool"), *ours, *arguments]

    def ready(self) -> bool:
        """Whether it answers."""
        return answers(self.ports[0], "/-/ready")
