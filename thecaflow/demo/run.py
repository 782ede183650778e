"""The demonstration as its command runs it: offline through the fold, or live through every part; then the report."""

from __future__ import annotations

import asyncio
import time

from contract.codec import decode_fact
from contract.facts import Alert, Fact
from contract.times import DAY_US
from ingest import simulator
from storage import facts as stored_facts
from storage import pool
from thecaflow import comparison
from thecaflow.commands.analyse import Reading
from thecaflow.demo import paging, report
from thecaflow.demo.fleet import DemoPlan, cases
from thecaflow.demo.grade import Grade, grade
from thecaflow.demo.live import run_live
from thecaflow.demo.steps import Steps
from thecaflow.progress import bar
from thecaflow.settings import Settings


def offline(plan: DemoPlan, steps: Steps) -> Grade:
    """The same fleet straight through the fold, as `thecaflow analyse` would; no servers, no pages."""
    with steps.step(
        f"simulating {plan.pumps} pumps over {plan.days:g} days and the founding case, seed {plan.seed}"
    ):
        drawn = cases(plan)
        reading = Reading(several=False)
        with bar("simulating") as advance:
            for number, line in enumerate(simulator.events(drawn), start=1):
                reading.take("-", number, line.json)
                if number % 1000 == 0:
                    advance(0, text=f"{number} events")
    with steps.step("folding"):
        facts = reading.facts(DAY_US, None)
    found = grade(simulator.labels(drawn), (fact for fact in facts if isinstance(fact, Alert)))
    report.show(found, facts, steps.console)
    return found


def live(plan: DemoPlan, settings: Settings, steps: Steps, *, stack: bool) -> bool:
    """Everything live, then the report; whether it all held."""
    sent = run_live(plan, settings, steps, stack=stack)
    facts = asyncio.run(_believed(settings))
    labels = simulator.labels(sent.drawn)
    found = grade(labels, (fact for fact in facts if isinstance(fact, Alert)))
    with steps.step("waiting until every fault has been told"):
        told, lines = asyncio.run(paging.until_told(settings, labels, found))
    with steps.step("comparing the database with a fold of its own log"):
        compared = asyncio.run(comparison.compare(settings))
    console = steps.console
    report.show(found, facts, console, told)
    console.print(report.paging(labels, told, lines), highlight=False)
    console.print(report.throughput(sent.outcome), highlight=False)
    console.print(f"compare:\n{comparison.report(compared)}", highlight=False, markup=False)
    link = paging.login_link(settings, sent.secrets.operator)
    console.print(report.afterwards(settings, link), highlight=False, markup=False, soft_wrap=True)
    passed = found.passed and told.passed and compared.equal
    seconds = time.monotonic() - steps.began_s
    verdict = "passed" if passed else "FAILED"
    console.print(f"demo {verdict} after {seconds:.0f} s, seed {plan.seed}", highlight=False)
    return passed


async def _believed(settings: Settings) -> list[Fact]:
    """All facts in the database that are believed now, in the contract's order."""
    async with pool.single(settings) as connection:
        return [decode_fact(row.line) async for row in stored_facts.believed(connection)]
