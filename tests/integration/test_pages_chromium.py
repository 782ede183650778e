"""The on-call pages in real Chromium on the whole path: gateway, worker, console; the founding case is what is paged."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from contract.facts import Cause
from dashboards.causes import CAUSES
from dashboards.clearing import CLEARING
from tests.browser import assert_accessible, chromium
from tests.consoles import ConsoleProcess, add_token, console_process
from tests.integration.test_gateway import GatewayProcess, gateway_process
from tests.native import NativeStack
from tests.workers import REAL, until, workers

PUMPS = ("founding-desk", "founding-phone", "founding-keys")
"""The founding case three times: each story answers its own."""
DRY = CAUSES[Cause.DRY_BEFORE_ALARM]
WIDTHS = {"desk": (1440, 900), "phone": (390, 844)}
FOLDED_MS = 20_000
"""From an answer to the worker's fold of it and the page's change: seconds, on a machine that does much else."""
EXPLAINED_MS = 60_000
"""The first explanation of a console loads the kernels and, on a machine that never did, compiles them."""
MOST_TABS = 40


@dataclass(frozen=True)
class Ward:
    """A running system with the founding case in it, and its people's tokens."""

    gateway: GatewayProcess
    console: ConsoleProcess
    relay: str
    operator: str
    viewer: str


@pytest.fixture(scope="module")
def ward(stack: NativeStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """Gateway, worker and console; each pump is 140 days after its fill at +14.5 %: ten days before it runs dry."""
    folder = tmp_path_factory.mktemp("ward")
    with ExitStack() as running:
        settings = running.enter_context(stack.fresh(folder / "run"))
        for command in (("migrate",), ("topics", "create")):
            thecaflow(settings.to_env(), *command)
        gateway = running.enter_context(gateway_process(settings, folder))
        asyncio.run(gateway.ready())
        settings = gateway.settings.with_changes(gateway_url=gateway.url)
        [worker] = running.enter_context(workers(settings, folder, "one", program=REAL))
        console = running.enter_context(console_process(settings, folder))
        relay = gateway.token("--replay")
        operator = asyncio.run(add_token(settings, "operator"))
        viewer = asyncio.run(add_token(settings, "viewer"))
        (folder / "founding.jsonl").write_text(founding_events(settings.to_env()))
        replayed = gateway.thecaflow(
            "replay", str(folder / "founding.jsonl"), "--token", relay, "--url", gateway.url
        )
        assert replayed.returncode == 0, replayed.stderr
        made = Ward(gateway, console, relay, operator, viewer)
        asyncio.run(until(lambda: open_everywhere(made), 60))
        assert worker.running
        yield made


def thecaflow(environ: dict[str, str], *arguments: str) -> str:
    """Run a command and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "thecaflow", *arguments],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def founding_events(environ: dict[str, str]) -> str:
    """Return the founding case for each of PUMPS."""
    case = ("--case", "founding", "--flow-ratio", "1.145", "--days", "140", "--end", "now")
    told = thecaflow(environ, "simulate", *case)
    return "".join(told.replace('"pump":"founding"', f'"pump":"{pump}"') for pump in PUMPS)


async def open_everywhere(ward: Ward) -> bool:
    """Whether each pump has its alert, high, on the console."""
    answer = await ward.console.ask(
        ward.viewer, "/v1/alerts?cause=dry_before_alarm&priority=high&state=active"
    )
    return answer.status_code == 200 and all(pump in answer.text for pump in PUMPS)


def say(ward: Ward, **event: object) -> None:
    """Post one event of a device, now."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    line = json.dumps({"v": 1, "source": "device", "at": now, **event})
    sent = ward.gateway.thecaflow(
        "replay", "-", "--token", ward.relay, "--url", ward.gateway.url, stdin=line.encode()
    )
    assert sent.returncode == 0, sent.stderr


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all stories; each has a context of its own."""
    with chromium() as running:
        yield running


@contextmanager
def opened(browser: Browser, ward: Ward, device: str, scheme: str) -> Iterator[Page]:
    """Open a page on a device; whatever the browser complains of (a script, the content policy) fails at the end."""
    width, height = WIDTHS[device]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        base_url=ward.console.url,
        reduced_motion="reduce",
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
    try:
        yield page
        assert not complaints, complaints
    finally:
        context.close()


def log_in(page: Page, token: str) -> None:
    """Log in by the form, which any page leads to."""
    page.goto("/")
    expect(page).to_have_url(re.compile("/login"))
    page.get_by_label("Your token").fill(token)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Fleet")).to_be_visible()


def open_alert(page: Page, pump: str) -> None:
    """Go from the fleet to a pump's alert."""
    page.get_by_role("link", name=f"{pump}: {DRY.title}").click()
    expect(page.get_by_role("heading", level=1, name=f"{pump}: {DRY.title}")).to_be_visible()


def assert_fits(page: Page) -> None:
    """Nothing makes the page scroll sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def assert_changes_without_reloading(page: Page, act: Callable[[], None]) -> None:
    """The alert becomes acknowledged on the page that was there before."""
    state = page.locator(".alert-head .state")
    expect(state).to_have_text("Needs an answer")
    page.evaluate("window.loadedBefore = true")
    act()
    expect(page.locator("#answer-sent")).to_be_visible()
    expect(state).to_have_text("Acknowledged", timeout=FOLDED_MS)
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    assert page.evaluate("window.loadedBefore"), "the page was loaded again"


@pytest.mark.parametrize(("device", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_a_nurse_reads_why_and_acknowledges(ward: Ward, browser: Browser, device: str, scheme: str):
    """Log in, see the alert, read why and what first, acknowledge, see it change by itself, find it in the history."""
    pump = f"founding-{device}"
    with opened(browser, ward, device, scheme) as page:
        log_in(page, ward.operator)
        needs = page.get_by_role("region", name="Needs an answer")
        first = needs.get_by_role("listitem").filter(has_text=f"{pump}: {DRY.title}").first
        expect(first).to_contain_text(re.compile(r"withdrawal expected in \d+ d to \d+ d"))
        expect(first).to_contain_text("High")
        assert_fits(page)

        open_alert(page, pump)
        head = page.locator(".alert-head")
        expect(head).to_contain_text(re.compile(r"Withdrawal expected\s*in \d+ d to \d+ d"))
        expect(head).to_contain_text("before its own low-reservoir alarm")
        expect(head).to_contain_text(
            re.compile(r"Delivered / programmed\s*1\.1[345]\d* \(1\.1[0-4]\d* to 1\.1[4-9]\d*\)")
        )
        for check in DRY.first_checks:
            expect(page.get_by_text(check)).to_be_visible()
        plot = page.locator("figure", has=page.get_by_role("heading", name="Reservoir level"))
        expect(plot.locator("[data-drawn] canvas")).to_be_visible()
        expect(plot.locator("figcaption")).to_contain_text(
            re.compile(r"\d mL at .* UTC; from .* to .* mL since")
        )
        numbers = page.get_by_role("region", name="The numbers behind it")
        knew = numbers.get_by_role("region", name="What the detector knew")
        expect(knew).to_contain_text("Estimated volume left", timeout=EXPLAINED_MS)
        expect(numbers).to_contain_text(CLEARING[Cause.DRY_BEFORE_ALARM])
        assert numbers.get_by_role("img").evaluate("plot => plot.complete && plot.naturalWidth > 0")
        assert_fits(page)

        page.get_by_label("What you do about it").fill("refill is booked for tomorrow")
        assert_changes_without_reloading(page, page.get_by_role("button", name="Acknowledge").click)
        told = page.get_by_role("region", name="History of this alert")
        expect(told).to_contain_text("by a operator: refill is booked for tomorrow")
        expect(told.get_by_role("row").nth(1)).to_contain_text("Acknowledged")

        page.get_by_role("link", name="Fleet", exact=True).click()
        expect(page.get_by_role("region", name="Answered, still open")).to_contain_text(pump)
        page.get_by_role("link", name="History", exact=True).click()
        page.get_by_label("Pump").fill(pump)
        page.get_by_label("Cause").select_option("dry_before_alarm")
        found = page.locator("#found tbody tr")
        expect(found).to_have_count(1)
        expect(found).to_contain_text(f"{pump}: {DRY.title}")
        expect(found).to_contain_text("Acknowledged")
        assert_fits(page)


def test_the_keyboard_alone_is_enough(ward: Ward, browser: Browser):
    """From the login to the acknowledgement with Tab, Enter and letters; whatever has the focus shows it."""
    with opened(browser, ward, "desk", "light") as page:
        page.goto("/")
        page.keyboard.type(ward.operator)  # the field has the focus when the page opens
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
        tab_to(page, lambda: focused(page, "textContent").strip() == f"founding-keys: {DRY.title}")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name="founding-keys")).to_be_visible()
        tab_to(page, lambda: focused(page, "id") == "acknowledge")
        assert_changes_without_reloading(page, lambda: page.keyboard.press("Enter"))


def tab_to(page: Page, reached: Callable[[], bool]) -> None:
    """Press Tab until something has the focus; each stop on the way must be visible."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        shown = page.evaluate(
            "() => { for (let at = document.activeElement; at; at = at.parentElement)"
            " if (getComputedStyle(at).outlineStyle !== 'none') return true; return false }"
        )
        assert shown, page.evaluate("document.activeElement.outerHTML")
        if reached():
            return
    raise AssertionError(f"not reached with {MOST_TABS} tabs")


def focused(page: Page, name: str) -> str:
    """Return a property of what has the focus."""
    return page.evaluate(f"document.activeElement.{name}")


def test_a_new_alert_appears_without_reloading(ward: Ward, browser: Browser):
    """The pump says that its battery has ended; the fleet shows it on top, and says so to those who listen."""
    with opened(browser, ward, "phone", "dark") as page:
        log_in(page, ward.viewer)
        page.evaluate("window.loadedBefore = true")
        say(ward, type="device_alarm", id="eos-1", pump="founding-keys", code="eos", text="")
        eos = page.get_by_role("link", name=CAUSES[Cause.BATTERY_EOS].title)
        expect(eos).to_be_visible(timeout=FOLDED_MS)
        expect(page.get_by_role("status").first).to_contain_text(
            re.compile(r"\d+ alerts? needs? an answer, \d+ high")
        )
        assert page.evaluate("window.loadedBefore"), "the page was loaded again"


def test_a_viewer_reads_and_answers_nothing(ward: Ward, browser: Browser):
    """No button for a viewer; the page says whose token answers."""
    with opened(browser, ward, "desk", "dark") as page:
        log_in(page, ward.viewer)
        page.get_by_label("Search").fill("founding-desk")
        expect(page.get_by_role("row").filter(has_text="founding-phone")).to_have_count(0)
        page.get_by_role("link", name=f"founding-desk: {DRY.title}").click()
        expect(page.get_by_text("an operator's token answers alerts")).to_be_visible()
        expect(page.locator("#alert-answer button")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", list(WIDTHS))
def test_axe_finds_nothing_serious(ward: Ward, browser: Browser, device: str, scheme: str):
    """Every page, wide and narrow, by day and by night; none scrolls sideways."""
    with opened(browser, ward, device, scheme) as page:
        page.goto("/login")
        assert_accessible(page)
        log_in(page, ward.operator)
        assert_accessible(page)
        page.locator("ol.alerts h3 a").first.click()
        alert = page.url
        explained = f"{alert}/explanation"
        for path in (alert, explained, "/pumps/founding-desk", "/pumps/founding-desk/refill", "/history"):
            page.goto(path)
            for plot in page.locator("[data-plot]").all():
                expect(plot).to_have_attribute("data-drawn", "yes")
            expect(page.get_by_text("Reading the telemetry")).to_have_count(0)
            expect(page.get_by_text("Folding the log")).to_have_count(0, timeout=EXPLAINED_MS)
            assert_accessible(page)
            assert_fits(page)


def test_what_does_not_exist_is_an_accessible_page_too(ward: Ward, browser: Browser):
    """404 with a way back."""
    width, height = WIDTHS["phone"]
    context = browser.new_context(viewport={"width": width, "height": height}, base_url=ward.console.url)
    page = context.new_page()
    log_in(page, ward.operator)
    answer = page.goto("/pumps/nobody")
    assert answer is not None
    assert answer.status == 404
    assert_accessible(page)
    page.get_by_role("link", name="To the fleet").click()
    expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
    context.close()


def test_the_sheet_for_a_refill_visit_is_one_page(ward: Ward, browser: Browser):
    """Printed on A4 it is one page with drug, concentration, both expected volumes and what to look at."""
    with opened(browser, ward, "desk", "light") as page:
        log_in(page, ward.viewer)
        page.goto("/pumps/founding-desk/refill")
        sheet = page.locator(".sheet")
        for words in ("baclofen", "500 µg/mL", "by our estimate", "the pump itself calculates", "To look at"):
            expect(sheet).to_contain_text(words)
        printed = page.pdf(format="A4", prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == 1
        page.emulate_media(media="print")
        expect(page.get_by_role("button", name="Print")).to_be_hidden()
