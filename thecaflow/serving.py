"""Serves one HTTP application until it is told to end: the bounds that every server of ours has."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
import uvloop

KEEP_ALIVE_S: Final = 65
"""Longer than the usual 60 s of proxies and clients, so that it is they who close an idle connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An ASGI application with its place. `stop_s`: how long answers in hand may take at the end; `ending`: called before."""

    app: Any
    host: str
    port: int
    stop_s: int
    max_connections: int
    ending: Callable[[], None] = lambda: None


class _Server(uvicorn.Server):
    """uvicorn's, which says when it begins to end."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        await super().shutdown(sockets)


def serve(make: Callable[[], Served]) -> None:
    """Serve what `make`, called in the loop of the server, returns until SIGTERM or SIGINT."""

    async def main() -> None:
        served = make()
        config = uvicorn.Config(
            served.app,
            host=served.host,
            port=served.port,
            http="h11",  # it bounds the size of headers
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=served.stop_s,
            limit_concurrency=served.max_connections,
        )
        await _Server(config, served.ending).serve()

    # uvicorn ends in good order on either signal, then raises it once more for whoever was there before: nobody.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
