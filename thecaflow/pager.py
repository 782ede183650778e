"""A small receiver of Alertmanager's webhooks: one JSON line an alert in a file, and a page that shows the newest.

It is for demonstrations and tests, and an example of a receiver: nobody is called. What it takes up is bounded: bodies,
connections, lines in memory, and the file, which moves aside to `<file>.1` when it is full.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import uvicorn
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.exceptions import HTTPException

from contract.times import format_us, parse_rfc3339
from thecaflow.settings import Settings

logger = logging.getLogger(__name__)

FILE: Final = "pages.jsonl"
BODY_BYTES: Final = 4 * 1024 * 1024  # a thousand alerts with their annotations are one
FILE_BYTES: Final = 64 * 1024 * 1024
SHOWN: Final = 200
STOP_S: Final = 3
MAX_CONNECTIONS: Final = 64


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
    for part in (_aside(path), path):
        try:
            text = part.read_bytes()
        except FileNotFoundError:
            continue
        pages += [_page.decode(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
    return pages


def forget_pages(path: Path) -> None:
    """Delete what has arrived."""
    for part in (_aside(path), path):
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


class Pager:
    """Appends pages to `path`, which holds `file_bytes` at most, and remembers the newest."""

    def __init__(self, path: Path, file_bytes: int = FILE_BYTES) -> None:
        self._path = path
        self._file_bytes = file_bytes
        self._newest: deque[Page] = deque(read_pages(path)[-SHOWN:], maxlen=SHOWN)

    def take(self, pages: Sequence[Page]) -> None:
        """Append; raises OSError where the disk does not take it, and then remembers nothing."""
        lines = b"".join(msgspec.json.encode(page) + b"\n" for page in pages)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab", buffering=0) as file:
            begins = file.tell()
            if begins and begins + len(lines) > self._file_bytes:
                self._path.rename(_aside(self._path))
                return self.take(pages)
            file.write(lines)
        self._newest.extend(pages)
        return None

    def newest(self) -> list[Page]:
        """Newest first."""
        return list(reversed(self._newest))

    def app(self) -> Litestar:
        """The application: POST anywhere, GET / and /healthz."""

        @post(["/", "/{way:path}"], status_code=HTTPStatus.OK, media_type=MediaType.JSON)
        async def webhook(request: Request[Any, Any, Any]) -> dict[str, int]:
            if request.content_type[0] != "application/json":
                raise HTTPException("post Alertmanager's webhook as application/json", status_code=415)
            try:
                pages = pages_of(await request.body(), time.time_ns() // 1000)
            except (msgspec.ValidationError, msgspec.DecodeError) as unlike:
                raise HTTPException(f"not Alertmanager's webhook: {unlike}", status_code=400) from None
            try:
                self.take(pages)
            except OSError as full:
                # Alertmanager tries again after a 5xx.
                raise HTTPException(f"cannot write: {full.strerror}", status_code=503) from None
            for page in pages:
                logger.info("%s", in_words(page))
            return {"taken": len(pages)}

        @get("/", sync_to_thread=False)
        def show(request: Request[Any, Any, Any]) -> Response[bytes]:
            pages = self.newest()
            if "json" in request.headers.get("accept", ""):
                return Response(msgspec.json.encode(pages), media_type=MediaType.JSON)
            text = "".join(f"{in_words(page)}\n" for page in pages) or "nothing has arrived yet\n"
            return Response(text.encode(), media_type=MediaType.TEXT)

        @get(["/healthz", "/readyz"], media_type=MediaType.TEXT, sync_to_thread=False)
        def healthz() -> str:
            return "ok\n"

        return Litestar(
            [webhook, show, healthz],
            openapi_config=None,
            logging_config=None,
            request_max_body_size=BODY_BYTES,
        )


def in_words(page: Page) -> str:
    """One line a person can read: when, to whom, what of which pump."""
    labels = page.labels
    what = " ".join(labels[name] for name in ("priority", "pump", "site", "cause") if labels.get(name))
    title = page.annotations.get("summary") or labels.get("alertname", "")
    words = (page.arrived[:19] + "Z", page.receiver, page.status, what, title)
    return " ".join(word for word in words if word)


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def run_pager(host: str, port: int, path: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        Pager(path).app(),
        host=host,
        port=port,
        http="h11",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_S,
        limit_concurrency=MAX_CONNECTIONS,
    )
    logger.info("pager: http://%s:%d/ into %s", host, port, path)
    asyncio.run(uvicorn.Server(config).serve())
