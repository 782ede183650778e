"""A load run from its first registration to its report."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from contract.errors import ThecaflowError, UnreachableError
from contract.times import format_us
from ingest.tokens import make_token
from storage import load, pool, tokens
from storage.migrate import require_current
from thecaflow.load import report
from thecaflow.load.clinic import Clinic
from thecaflow.load.commits import Commits
from thecaflow.load.fleet import Fleet
from thecaflow.load.gateway import Gateway
from thecaflow.load.ledger import Ledger
from thecaflow.load.lookup import look_up
from thecaflow.load.machine import this_machine, versions
from thecaflow.load.open_loop import send_on_schedule
from thecaflow.load.plan import LoadPlan
from thecaflow.load.senders import Senders
from thecaflow.load.watch import Watcher, now_us, until_drained
from thecaflow.progress import Advance
from thecaflow.settings import Settings

logger = logging.getLogger(__name__)

FILLED_BEFORE_US: Final = 60_000_000
LEAD_S: Final = 0.2
"""Between the decision to begin and the first due time, so that the first posts are not late."""
SHOW_EVERY_S: Final = 0.5

Phase: TypeAlias = Callable[[str, float | None], AbstractContextManager[Advance]]
"""Begins to show a phase with its name and its whole length, None where nobody knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """Where a run goes and what is said of it. `token` None: one is made for the run and revoked at its end."""

    url: str
    token: str | None = None
    note: str = ""
    run: str = field(default_factory=lambda: secrets.token_hex(3))


async def run_load(
    settings: Settings, plan: LoadPlan, options: LoadOptions, stop: asyncio.Event, phase: Phase
) -> report.LoadReport:
    """Make a run; `stop` ends its schedule early. Raises ThecaflowError where it can't begin."""
    async with pool.single(settings) as connection:
        await require_current(connection)
    async with _token(settings, options) as token:
        gateway = Gateway(options.url, token)
        try:
            await gateway.check()
            return await _Run(settings, plan, options, gateway, phase).conduct(stop)
        finally:
            gateway.close()


class _Run:
    def __init__(
        self, settings: Settings, plan: LoadPlan, options: LoadOptions, gateway: Gateway, phase: Phase
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._options = options
        self._gateway = gateway
        self._phase = phase
        self._fleet = Fleet(
            options.run, plan.pumps, plan.samples, plan.period_s, now_us() - FILLED_BEFORE_US, plan.seed
        )
        self._ledger = Ledger(plan)
        self._commits = Commits()
        self._watcher = Watcher(settings, plan, self._ledger, self._commits)
        self._clinical: set[str] = set()

    async def conduct(self, stop: asyncio.Event) -> report.LoadReport:
        watching = asyncio.create_task(self._watcher.read_for_ever())
        try:
            try:
                await self._introduce()
                drained_s, ahead_s = await self._load(stop)
            finally:
                with _warned(
                    "the fleet could not be taken out of watch, and will look silent in half an hour"
                ):
                    await self._say_farewell()
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        return await self._report(drained_s, ahead_s, finished=not stop.is_set())

    async def _introduce(self) -> None:
        events, ids = self._fleet.introductions()
        await self._clinic(f"introducing {len(self._fleet.names):,} pumps", events, ids)
        if await self._drain("the fleet") is None:
            raise UnreachableError(
                "nothing of the introduced fleet came to be in the database; `thecaflow worker` starts a worker"
            )

    async def _clinic(self, name: str, events: list[bytes], ids: list[str]) -> None:
        with self._phase(name, len(events)) as advance:
            clinic = Clinic(self._gateway, self._commits, advance)
            try:
                await clinic.send(events, ids)
            except* ThecaflowError as failed:
                raise failed.exceptions[0] from None
            finally:
                self._clinical |= clinic.acknowledged

    async def _load(self, stop: asyncio.Event) -> tuple[float | None, float]:
        began_s = time.perf_counter() + LEAD_S
        self._watcher.began_us = now_us() + round(LEAD_S * 1e6)
        senders = Senders(
            self._plan,
            self._gateway,
            self._fleet,
            self._ledger,
            self._commits,
            self._watcher,
            began_s,
        )
        showing = asyncio.create_task(self._show(began_s))
        try:
            await send_on_schedule(self._plan, senders.post, self._ledger, stop, began_s)
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing
        drained_s = await self._drain("every frame")
        self._watcher.finish(now_us())
        self._watcher.began_us = None
        return drained_s, senders.clock_ahead_s

    async def _show(self, began_s: float) -> None:
        length_s = self._plan.frames / self._plan.rate_frames_s
        name = f"sending {self._plan.rate_frames_s:g} frames/s"
        shown_s = 0.0
        with self._phase(name, length_s) as advance:
            while True:
                await asyncio.sleep(SHOW_EVERY_S)
                after_s = max(time.perf_counter() - began_s, 0.0)
                advance(after_s - shown_s, text=self._state(after_s))
                shown_s = after_s

    def _state(self, after_s: float) -> str:
        last = self._ledger.interval(max(after_s - self._plan.interval_s, 0.0))
        p99_ms = last.commit.percentile_s(0.99) * 1000
        return (
            f"{last.answered / self._plan.interval_s:,.0f}/s, committed p99 {p99_ms:,.0f} ms, "
            f"lag {self._commits.lag:,}, late {self._ledger.late_posts:,}"
        )

    async def _drain(self, what: str) -> float | None:
        with self._phase(f"waiting until {what} is in the database", None):
            return await until_drained(self._commits)

    async def _say_farewell(self) -> None:
        """Take every pump out of watch that the system may know, whatever happened to the run."""
        if not self._clinical:
            return
        events, ids = self._fleet.farewells(now_us())
        await self._clinic("taking the fleet out of watch", events, ids)
        await self._drain("the end")

    async def _report(self, drained_s: float | None, ahead_s: float, *, finished: bool) -> report.LoadReport:
        async with pool.single(self._settings) as connection:
            facts = await load.database_facts(connection)
            with self._phase("looking every acknowledged id up", self._plan.pumps) as advance:
                found = await look_up(connection, self._fleet, self._ledger, self._clinical, advance)
        plan, ledger = self._plan, self._ledger
        due = sum(sum(interval.fates.values()) for interval in ledger.intervals.values())
        end_s = due / plan.rate_frames_s
        counted = report.measured(plan, ledger.intervals, ledger.last_due_s)
        busy, own_cores = report.mean_busy(counted)
        return report.LoadReport(
            run=self._options.run,
            began=format_us(self._fleet.began_us + FILLED_BEFORE_US),
            note=self._options.note,
            finished=finished,
            seconds=round(end_s, 3),
            plan=plan,
            url=self._gateway.url,
            rate_frames_s=report.rate_of(plan, counted),
            frames=report.frames_of(ledger, due),
            posts=report.Posts(
                sent=ledger.posts,
                late=ledger.late_posts,
                late_by_itself=ledger.late_by_itself,
                behind_max_ms=round(ledger.behind_max_s * 1000, 3),
            ),
            reasons=dict(ledger.reasons.most_common()),
            accept=report.joined(counted, "accept"),
            commit=report.joined(counted, "commit"),
            whole=report.joined(counted, "whole"),
            lag=report.lag_of(plan, counted, drained_s),
            gateway_clock_ahead_s=round(ahead_s, 6),
            found=found,
            machine_busy=busy,
            own_cores=own_cores,
            machine=this_machine(),
            versions=versions(facts.postgres, facts.timescaledb),
            points=report.points_of(plan, ledger.intervals, end_s),
        )


@contextmanager
def _warned(what: str) -> Iterator[None]:
    """Go on where something failed that is no reason to have no report."""
    try:
        yield
    except ThecaflowError as failed:
        logger.warning("%s: %s", what, failed)


@asynccontextmanager
async def _token(settings: Settings, options: LoadOptions) -> AsyncIterator[str]:
    if options.token is not None:
        yield options.token
        return
    secret, row = make_token(f"load run {options.run}", now_us())
    async with pool.single(settings) as connection:
        await tokens.add(connection, row)
    try:
        yield secret
    finally:
        async with pool.single(settings) as connection:
            await tokens.revoke(connection, row.id, now_us())
