"""`thecaflow status --watch`: looks again and again, through absences of the database, until somebody has seen enough."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Final

import click
import httpx
from rich.console import Console
from rich.live import Live

from contract.errors import ThecaflowError
from thecaflow.overview import Flow, Overview, flow, gather
from thecaflow.settings import Settings
from thecaflow.status_screen import WatchScreen

LOOK_WITHIN_S: Final = 20.0
"""A database that holds a question longer than that counts as away: the broker's own ten seconds lie within."""
GATEWAY_WITHIN_S: Final = 2.0
END_KEYS: Final = b"qQ\x03\x04"


class _Looks:
    """The newest look, what moved since the one before, and what is away."""

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client
        self.found: Overview | None = None
        self.moved: Flow | None = None
        self.away: str | None = None
        self.gateway = "not asked yet"
        self._away_since_s: float | None = None

    async def look(self) -> None:
        """Ask everybody once; what does not answer is named, and what was seen before stays."""
        self.gateway, (found, away) = await asyncio.gather(self._ask_gateway(), self._ask_database())
        if found is None:
            if self._away_since_s is None:
                self._away_since_s = time.monotonic()
            self.away = f"for {time.monotonic() - self._away_since_s:.0f} s, {away}"
            return
        self.moved = None if self.found is None else flow(self.found, found)
        self.found, self.away, self._away_since_s = found, found.unreachable, None

    async def _ask_database(self) -> tuple[Overview | None, str]:
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                return await gather(self._settings, time.time_ns() // 1000, arrived=False), ""
        except TimeoutError:
            return None, f"the database did not answer in {LOOK_WITHIN_S:g} s"
        except ThecaflowError as failed:
            return None, str(failed)

    async def _ask_gateway(self) -> str:
        try:
            answer = await self._client.get(f"{self._settings.gateway_url}/readyz")
        except (httpx.HTTPError, httpx.InvalidURL) as failed:
            return f"away ({type(failed).__name__})"
        return "ready" if answer.status_code == HTTPStatus.OK else "not ready"


async def watch(settings: Settings, console: Console, every_s: float) -> int:
    """Refresh one screen until q or Ctrl-C; 0."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with httpx.AsyncClient(timeout=GATEWAY_WITHIN_S, trust_env=False) as client:
        looks = _Looks(settings, client)
        with _keys(stop), Live(console=console, screen=True, auto_refresh=False) as live:
            loop.add_signal_handler(signal.SIGWINCH, live.refresh)
            live.update(_screen(looks, every_s), refresh=True)
            await _until(stop, every_s, looks, lambda: live.update(_screen(looks, every_s), refresh=True))
    return 0


async def repeat(settings: Settings, every_s: float, show: Callable[[Overview], None]) -> int:
    """Print everything each time, for a file or a pipe, until Ctrl-C; what can't be asked is said on standard error."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while not stop.is_set():
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                show(await gather(settings, time.time_ns() // 1000))
        except TimeoutError:
            click.echo(f"thecaflow: the database did not answer in {LOOK_WITHIN_S:g} s", err=True)
        except ThecaflowError as failed:
            click.echo(f"thecaflow: {failed}; trying again", err=True)
        sys.stdout.flush()
        await _pause(stop, every_s)
    return 0


async def _until(stop: asyncio.Event, every_s: float, looks: _Looks, show: Callable[[], None]) -> None:
    """Look and show until `stop`, which does not wait for a look under way."""
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        looking = asyncio.create_task(looks.look())
        await asyncio.wait([looking, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not looking.done():
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
            return
        looking.result()
        show()
        await _pause(stop, every_s)
    await stopping


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def _screen(looks: _Looks, every_s: float) -> WatchScreen:
    now = time.strftime("%H:%M:%S")
    return WatchScreen(looks.found, looks.moved, looks.gateway, looks.away, now, every_s)


@contextmanager
def _keys(stop: asyncio.Event) -> Iterator[None]:
    """Hear single keys; the terminal is given back as it was. Where standard input is no terminal, Ctrl-C is left."""
    if not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    loop = asyncio.get_running_loop()

    def pressed() -> None:
        keys = os.read(descriptor, 64)
        if not keys or any(key in END_KEYS for key in keys):
            stop.set()

    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, pressed)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
