"""Pages that arrived at the local receiver: how Alertmanager's webhooks are read, and the file that keeps them.

A JSON line an alert. A full file moves aside to `<file>.1`; both are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec

from contract.times import format_us, parse_rfc3339
from thecaflow.settings import Settings

FILE: Final = "pages.jsonl"


class Page(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One alert of one webhook, as it stands in the file. Names are Alertmanager's, `arrived` is ours.

    `status` is that of the alert. An alert arrives anew with each notification of its group.
    """

    arrived: str
    receiver: str
    group_key: str
    status: Literal["firing", "resolved"]
    starts_at: str
    ends_at: str
    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def arrived_us(self) -> int:
        """When the webhook came, by this machine's clock."""
        return parse_rfc3339(self.arrived)


class _Alert(msgspec.Struct, rename="camel"):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: str = ""
    ends_at: str = ""
    fingerprint: str = ""


class _Webhook(msgspec.Struct, rename="camel"):
    receiver: str
    alerts: list[_Alert]
    group_key: str = ""


_webhook: Final = msgspec.json.Decoder(_Webhook)
_page: Final = msgspec.json.Decoder(Page)


def default_file(settings: Settings) -> Path:
    """Return the file that `thecaflow pager` appends to unless told otherwise."""
    return Path(settings.run_folder) / FILE


def read_pages(path: Path) -> list[Page]:
    """Return what has arrived, oldest first; nothing where there is no file. A line still being written is left out."""
    pages: list[Page] = []
    for part in (aside(path), path):
        try:
            text = part.read_bytes()
        except FileNotFoundError:
            continue
        pages += [_page.decode(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
    return pages


def forget_pages(path: Path) -> None:
    """Delete what has arrived."""
    for part in (aside(path), path):
        part.unlink(missing_ok=True)


def pages_of(body: bytes, arrived_us: int) -> list[Page]:
    """Return the alerts of one webhook of Alertmanager; raises msgspec.ValidationError or DecodeError for another body."""
    webhook = _webhook.decode(body)
    arrived = format_us(arrived_us)
    return [
        Page(
            arrived=arrived,
            receiver=webhook.receiver,
            group_key=webhook.group_key,
            status=alert.status,
            starts_at=alert.starts_at,
            ends_at=alert.ends_at,
            fingerprint=alert.fingerprint,
            labels=alert.labels,
            annotations=alert.annotations,
        )
        for alert in webhook.alerts
    ]


def aside(path: Path) -> Path:
    """Return where a full file goes."""
    return path.with_name(f"{path.name}.1")
