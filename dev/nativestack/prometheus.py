"""Prometheus, with the project's own rules, aimed at this machine's processes."""

import json
import shutil
from pathlib import Path
from typing import ClassVar

from nativestack.part import Part
from nativestack.probe import answers

SOURCE = Path(__file__).resolve().parents[2] / "dashboards" / "prometheus"
RESEND = "30s"
"""How often a firing alert is told to Alertmanager anew; it holds four times as long without.

Longer: what fires in the first seconds of Prometheus, before it has found Alertmanager, is paged later. Shorter: every page
ends, falsely, where Prometheus is away for longer than that (an upgrade, a restart of its machine).
"""
GRACE = "1m"
"""After a restart an alert that was about to fire waits this much longer at least: an escalation, not ten more minutes."""
CONSOLES = 2
WORKERS = 4


class Prometheus(Part):
    """The server on the loopback only; its configuration is that of the composition, only the targets differ."""

    name: ClassVar[str] = "prom"
    port_settings: ClassVar[tuple[str, ...]] = ("PROMETHEUS_PORT",)

    @property
    def folder(self) -> Path:
        """Folder of its configuration: all paths in there are relative to it."""
        return self.config.conf("prometheus")

    def configure(self) -> None:
        """Copy configuration and rules, since the server's user may not enter the checkout, and write the targets."""
        shutil.rmtree(self.folder, ignore_errors=True)
        targets = self.folder / "targets"
        targets.mkdir(parents=True)
        shutil.copy(SOURCE / "prometheus.yml", self.folder)
        shutil.copytree(SOURCE / "rules", self.folder / "rules")
        console, worker = self.config.port("CONSOLE_PORT"), self.config.port("WORKER_PORT")
        ports = {
            "gateway": [self.config.port("GATEWAY_PORT")],
            "console": range(console, console + CONSOLES),
            "worker": range(worker, worker + WORKERS),
            "prometheus": self.ports,
            "alertmanager": [self.config.port("ALERTMANAGER_PORT")],
        }
        for job, wanted in ports.items():
            groups = [{"targets": [f"127.0.0.1:{port}" for port in wanted]}]
            (targets / f"{job}.yml").write_text(json.dumps(groups) + "\n")  # JSON is YAML, too

    def first_time(self) -> list[str] | None:
        """Nothing is to be prepared."""
        return None

    def command(self) -> list[str]:
        """Return the server's command line."""
        return [
            str(self.config.programs / "prometheus"),
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.store}",
            f"--rules.alert.resend-delay={RESEND}",
            f"--rules.alert.for-grace-period={GRACE}",
            f"--web.listen-address=127.0.0.1:{self.ports[0]}",
            f"--web.local-assets={self.config.prometheus_share / 'web'}",  # an option of Debian's
        ]

    def ready(self) -> bool:
        """Whether it has read its data and answers queries."""
        return answers(self.ports[0], "/-/ready")
