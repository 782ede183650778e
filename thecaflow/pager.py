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
from typing import Any, Final

import msgspec
import uvicorn
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.exceptions import HTTPException

from thecaflow.page_file import Page, aside, pages_of, read_pages

logger = logging.getLogger(__name__)

BODY_BYTES: Final = 4 * 1024 * 1024  # a thousand alerts with their annotations are one
FILE_BYTES: Final = 64 * 1024 * 1024
SHOWN: Final = 200
STOP_S: Final = 3
MAX_CONNECTIONS: Final = 64


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
                self._path.rename(aside(self._path))
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
