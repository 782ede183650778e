"""The pages as a browser gets them, over a snapshot in memory: scope, order, escaping, answers, absence of the database."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import unescape
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, Request
from litestar.di import Provide
from litestar.testing import TestClient

from contract.errors import UnreachableError
from contract.facts import Cause, Readiness
from contract.times import DAY_US, HOUR_US, MINUTE_US
from dashboards.clearing import CLEARING
from dashboards.console.detection import Explanation, Section
from dashboards.console.pages import routes
from dashboards.console.pages.fleet import AT_FIRST
from dashboards.console.pages.login import local
from dashboards.console.pages.past import Asked
from dashboards.console.parts import Console, ConsoleSettings
from dashboards.console.session import Viewer
from dashboards.console.snapshot import AlertNow, PumpNow, Snapshot
from ingest.problems import Problem
from storage.history import AlertSearch

NOW_US = 1_780_000_000_000_000
ALL = Viewer(token_id="t", label="ward b", role="operator", secret="thecaflow_secret")
READER = replace(ALL, role="viewer")
WARD_A = replace(ALL, role="viewer", sites=frozenset({"ward-a"}))
PART = {"HX-Request": "true"}


def alert(pump: str = "p1", cause: str = "motor_stall", **changes: Any) -> AlertNow:
    """Return an open alert."""
    fields: dict[str, Any] = {
        "alert_id": f"{pump}{cause}".replace("_", "").replace("-", ""),
        "pump": pump,
        "site": "ward-a",
        "cause": cause,
        "state": "active",
        "priority": "high",
        "at_us": NOW_US - HOUR_US,
        "since_us": NOW_US - 2 * HOUR_US,
        "harm_lo_us": NOW_US + 3 * HOUR_US + MINUTE_US,
        "harm_hi_us": NOW_US + 9 * HOUR_US + MINUTE_US,
        "text": "The motor stands still.",
        "written_us": NOW_US,
    }
    return AlertNow(**{**fields, **changes})


@dataclass
class World:
    """What the pages look at, and what they did; a database that is away, as it is behind no real one."""

    snapshot: Snapshot | None
    viewer: Viewer | None = ALL
    answers: list[tuple[str, str, str, int | None]] = field(default_factory=list)
    refusal: Problem | None = None
    database_up: bool = False
    explained: Explanation | None = None
    ready: Sequence[Readiness] | None = None
    confirmed_us: int = NOW_US

    @property
    def current(self) -> Snapshot | None:
        return self.snapshot

    async def changed(self, after_version: int) -> Snapshot:
        raise NotImplementedError

    async def ask(self, question: Callable[[Any], Awaitable[Any]], *, within_s: float = 5.0) -> Any:
        raise UnreachableError("away")

    async def acknowledge(self, viewer: Viewer, about: AlertNow, reason: str) -> None:
        if self.refusal:
            raise self.refusal
        self.answers.append(("ack", about.alert_id, reason, None))

    async def shelve(self, viewer: Viewer, about: AlertNow, reason: str, until_us: int) -> None:
        self.answers.append(("shelve", about.alert_id, reason, until_us))

    async def log_in(self, request: Any, secret: str) -> Viewer:
        if secret != ALL.secret:
            raise Problem(HTTPStatus.UNAUTHORIZED, "token", "This token is not known.")
        return ALL

    async def log_in_once(self, request: Any, code: str) -> Viewer:
        self.answers.append(("link", code, "", None))
        return ALL

    async def explanation(self, pump: str, alert_id: str) -> Explanation:
        if self.explained is None:
            raise UnreachableError("away")
        return self.explained

    async def readiness(self, pump: str) -> Sequence[Readiness]:
        if self.ready is None:
            raise UnreachableError("away")
        return self.ready

    def log_out(self, request: Any) -> None:
        self.answers.append(("out", "", "", None))


@pytest.fixture
def world() -> World:
    """Two wards, one alert each; the text of one was written to do harm."""
    pumps = {
        "p1": PumpNow(
            pump="p1", site="ward-a", empty_p05_us=NOW_US + 9 * DAY_US, empty_p95_us=NOW_US + 12 * DAY_US
        ),
        "p2": PumpNow(pump="p2", site="ward-b", refill_due_us=NOW_US + DAY_US, refill_due_reason="volume"),
    }
    alerts = (
        alert("p1"),
        alert("p1", "over_delivery", priority="medium"),
        alert("p2", "leak", site="ward-b", text="<script>alert(1)</script>"),
        alert("p2", "refill_due", site="ward-b", priority="low", harm_lo_us=None, harm_hi_us=None),
    )
    return World(Snapshot(version=7, at_us=NOW_US, pumps=pumps, alerts=alerts))


@pytest.fixture
def client(world: World) -> Iterator[TestClient[Litestar]]:
    """A browser before these pages."""
    console = Console(
        snapshots=world,
        database=world,
        answers=world,  # type: ignore[arg-type]
        detection=world,
        sessions=world,  # type: ignore[arg-type]
        settings=ConsoleSettings(console_url="http://c", gateway_url="http://g"),
        now_us=lambda: NOW_US,
    )

    async def viewer_who_asks(request: Request[Any, Any, Any]) -> Viewer:
        if world.viewer is None:
            raise Problem(HTTPStatus.UNAUTHORIZED, "login", "Log in.")
        return world.viewer

    app = Litestar(
        routes.handlers(console),
        dependencies={"viewer": Provide(viewer_who_asks)},
        template_config=console.templates,
        logging_config=None,
    )
    with TestClient(app) as browser:
        yield browser


def shown(client: TestClient[Litestar], path: str, status: int = 200, **options: Any) -> str:
    """Return the text of a page: without tags, white space made one."""
    answer = client.get(path, **options)
    assert answer.status_code == status, answer.text
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def test_the_fleet_says_which_pump_what_and_how_long(client: TestClient[Litestar]):
    """The most urgent first, one entry a pump, what can wait apart; pumps by the earlier of refill and empty."""
    text = shown(client, "/")
    assert "3 alerts need an answer, 2 high" in text
    assert "p1 : the motor stands still ward-a · since 28 May 2026 18:26 UTC (2 h ago)" in text
    assert "withdrawal expected in 3 h to 9 h" in text
    assert text.index("the motor stands still") < text.index("the catheter may leak") < text.index("Can wait")
    assert text.index("Can wait") < text.index("a refill is due")
    pumps = text[text.index("Pumps by date") :]
    assert pumps.index("p2") < pumps.index("p1")


def test_what_devices_wrote_is_text_not_markup(client: TestClient[Litestar]):
    """A script in an alert's text stays words."""
    page = client.get("/alerts/p2leak").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    "path",
    ["/pumps/p2", "/pumps/p2/refill", "/pumps/p2/channels", "/alerts/p2leak", "/pumps/none", "/alerts/none"],
)
def test_what_lies_outside_the_scope_does_not_exist(client: TestClient[Litestar], world: World, path: str):
    """404 with the same words whether or not it exists, on every page."""
    world.viewer = WARD_A
    assert "There is no such" in shown(client, path, 404)
    assert client.post("/alerts/p2leak/acknowledge", data={"reason": "x"}).status_code == 404
    assert not world.answers


def test_lists_leave_out_what_lies_outside_the_scope(client: TestClient[Litestar], world: World):
    """Neither alerts nor pumps nor the sites to choose from."""
    world.viewer = WARD_A
    text = shown(client, "/")
    assert "p2" not in text
    assert "ward-b" not in text
    assert "2 alerts need an answer, 1 high" in text


def test_the_list_is_narrowed_by_site_priority_and_words(client: TestClient[Litestar]):
    """Each by itself; words are looked for in pump, site, cause and title."""
    assert "the motor stands still" not in shown(client, "/?site=ward-b")
    assert "the catheter may leak" not in shown(client, "/?priority=medium")
    assert "the motor stands still" in shown(client, "/?q=MOTOR+ward-a")
    assert "Nothing to answer with this filter" in shown(client, "/?q=nobody")
    assert "the motor stands still" in shown(client, "/?priority=loud"), "what makes no sense is left out"


def test_a_long_list_is_cut_and_can_be_made_longer(client: TestClient[Litestar], world: World):
    """A thousand alerts at once are a page of 50, and a way to more."""
    assert world.snapshot is not None
    many = tuple(alert(f"q{number:04d}") for number in range(1000))
    pumps = {a.pump: PumpNow(pump=a.pump, site="ward-a") for a in many}
    world.snapshot = replace(world.snapshot, alerts=many, pumps=pumps)
    first = client.get("/").text
    assert first.count("/alerts/") == AT_FIRST
    more = re.search(r'id="more-to-answer" href="([^"]+)"', first)
    assert more is not None
    assert f"{1000 - AT_FIRST} pumps not shown" in first
    assert client.get(unescape(more[1])).text.count("/alerts/") > AT_FIRST


def test_htmx_gets_the_part_that_changes(client: TestClient[Litestar]):
    """No frame, and the same filter again at the next change."""
    part = client.get("/?site=ward-b", headers=PART).text
    assert "<html" not in part
    assert 'hx-get="/?site=ward-b"' in part
    now = client.get("/alerts/p1motorstall?part=now", headers=PART).text
    assert "<html" not in now
    assert "Needs an answer" in now


def test_a_list_that_was_just_rendered_is_shared_within_its_scope_only(
    client: TestClient[Litestar], world: World
):
    """Whoever sees less gets their own; a new snapshot is a new list at once."""
    assert "p2" in client.get("/", headers=PART).text
    world.viewer = WARD_A
    assert "p2" not in client.get("/", headers=PART).text
    world.viewer = ALL
    assert world.snapshot is not None
    world.snapshot = replace(world.snapshot, version=8, alerts=())
    assert "Nothing to answer" in client.get("/", headers=PART).text


def test_an_alert_shows_what_made_it_and_what_would_end_it(client: TestClient[Litestar], world: World):
    """The page says what the detector waits for, and its part has the tables of `thecaflow explain` with the plot."""
    assert CLEARING[Cause.MOTOR_STALL] in shown(client, "/alerts/p1motorstall")
    rows = (("Usual largest <b>", "habit", "3 µL", "3 µL"),)
    heads = ("", "", "at the onset", "at the alarm")
    world.explained = Explanation(
        [Section("What the detector knew", rows, heads)], "data:image/svg+xml;base64,AA"
    )
    part = client.get("/alerts/p1motorstall/explanation", headers=PART).text
    assert '<td class="number">Usual largest &lt;b&gt;</td>' in part
    assert '<img class="picture" src="data:image/svg+xml;base64,AA" alt="' in part
    assert "at the alarm" in shown(client, "/alerts/p1motorstall/explanation")
    world.viewer = replace(READER, sites=frozenset({"ward-b"}))
    assert client.get("/alerts/p1motorstall/explanation").status_code == HTTPStatus.NOT_FOUND


def test_a_pump_says_what_it_is_blind_for_first(client: TestClient[Litestar], world: World):
    """What nobody would notice stands above what is watched; while the database is away nothing is claimed."""
    assert "Nothing is known yet" in shown(client, "/pumps/p1")
    world.ready = [
        Readiness(pump="p1", at_us=NOW_US, cause=Cause.OCCLUSION, state="ready", why="By the outlet."),
        Readiness(pump="p1", at_us=NOW_US, cause=Cause.LEAK, state="blind", why="It needs an outlet."),
    ]
    text = shown(client, "/pumps/p1")
    assert text.index("blind It needs an outlet.") < text.index("ready By the outlet.")


def test_a_form_is_replaced_only_once_it_is_out_of_date(client: TestClient[Litestar]):
    """Whoever is writing a reason keeps it: 204 leaves the page as it is."""
    path = "/alerts/p1motorstall?part=answer&standing="
    assert client.get(path + "active-high", headers=PART).status_code == 204
    assert "Acknowledge" in client.get(path + "active-medium", headers=PART).text


def test_an_answer_goes_out_with_its_reason(client: TestClient[Litestar], world: World):
    """By htmx a word that it was sent, by a plain form back to the page."""
    sent = client.post("/alerts/p1motorstall/acknowledge", data={"reason": " on my way "}, headers=PART)
    assert "Acknowledgement sent at 20:26:40 UTC" in sent.text
    plain = client.post(
        "/alerts/p1motorstall/shelve", data={"reason": "scan", "minutes": "240"}, follow_redirects=False
    )
    assert plain.status_code == 303
    assert plain.headers["location"] == "/alerts/p1motorstall?sent=shelve"
    assert world.answers == [
        ("ack", "p1motorstall", "on my way", None),
        ("shelve", "p1motorstall", "scan", NOW_US + 4 * HOUR_US),
    ]


@pytest.mark.parametrize(
    ("path", "fields", "told"),
    [
        ("acknowledge", {"reason": "  "}, "Say why"),
        ("shelve", {"reason": "x", "minutes": "1441"}, "24 hours at most"),
        ("shelve", {"reason": "x", "minutes": "soon"}, "24 hours at most"),
    ],
)
def test_an_answer_that_lacks_something_says_what(
    client: TestClient[Litestar], world: World, path: str, fields: dict[str, str], told: str
):
    """Beside the form, with what was typed; nothing is sent."""
    url = f"/alerts/p1motorstall/{path}"
    assert told in client.post(url, data=fields, headers=PART).text
    assert client.post(url, data=fields).status_code == 400
    assert not world.answers


def test_a_refusal_of_the_gateway_is_shown_beside_the_form(client: TestClient[Litestar], world: World):
    """With the reason that was typed, so that nobody types it twice."""
    world.refusal = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "gateway", "The answer is not sent. Try again.")
    page = client.post("/alerts/p1motorstall/acknowledge", data={"reason": "on my way"}, headers=PART)
    assert page.status_code == 200, "htmx shows no other"
    assert "The answer is not sent" in page.text
    assert 'value="on my way"' in page.text


def test_a_viewer_gets_no_buttons(client: TestClient[Litestar], world: World):
    """And the page says why."""
    world.viewer = READER
    page = client.get("/alerts/p1motorstall").text
    assert "operator's token answers" in unescape(page)
    assert 'id="acknowledge"' not in page
    assert 'id="shelve"' not in page


@pytest.mark.parametrize(
    "path", ["/", "/alerts/p1motorstall", "/pumps/p1", "/pumps/p1/refill", "/pumps/p1/channels"]
)
def test_while_the_database_is_away_what_was_known_is_shown(client: TestClient[Litestar], path: str):
    """Never a blank page at night: the last snapshot, and that it is one."""
    assert "database d" in shown(client, path)


def test_a_search_needs_the_database(client: TestClient[Litestar]):
    """503 with what to do."""
    assert "try again" in shown(client, "/history", 503)


def test_before_the_first_snapshot_there_is_nothing_to_show(client: TestClient[Litestar], world: World):
    """503, not an empty fleet that looks healthy."""
    world.snapshot = None
    assert "try again" in shown(client, "/", 503)


def test_whoever_is_not_logged_in_is_led_to_the_form_and_back(client: TestClient[Litestar], world: World):
    """A link from a page leads to the alert after the login; htmx is told to go there, too."""
    world.viewer = None
    asked = client.get("/alerts/p1motorstall?part=now", follow_redirects=False)
    assert asked.headers["location"] == "/login?next=/alerts/p1motorstall%3Fpart%3Dnow"
    assert client.get("/", headers=PART).headers["hx-redirect"] == "/login"
    form = client.get(asked.headers["location"]).text
    assert 'name="next" value="/alerts/p1motorstall?part=now"' in form
    done = client.post("/login", data={"token": ALL.secret, "next": "/pumps/p1"}, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, "/pumps/p1")


def test_a_wrong_token_is_told(client: TestClient[Litestar]):
    """401 with the form again, and never the token itself."""
    refused = client.post("/login", data={"token": "thecaflow_wrong", "next": "/"})
    assert refused.status_code == 401
    assert "This token is not known." in refused.text
    assert "thecaflow_wrong" not in refused.text


def test_a_link_is_used_up_by_a_press_not_by_a_look(client: TestClient[Litestar], world: World):
    """A mail program that opens links leaves it whole."""
    assert "logs you in once" in shown(client, "/login/a-code")
    assert not world.answers
    client.post("/login", data={"code": "a-code"}, follow_redirects=False)
    client.post("/logout", follow_redirects=False)
    assert world.answers == [("link", "a-code", "", None), ("out", "", "", None)]


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb"])
def test_a_login_leads_nowhere_else(path: str):
    """What is no path of this console is the first page."""
    assert local(path) == "/"
    assert local("/pumps/p1?days=7") == "/pumps/p1?days=7"


def test_no_page_is_kept(client: TestClient[Litestar]):
    """Neither a browser nor a proxy stores what patients' pumps do, nor does htmx."""
    answer = client.get("/")
    assert "no-store" in answer.headers["cache-control"]
    assert '"historyCacheSize":0' in answer.text


def test_no_template_needs_inline_scripts_or_styles():
    """The content policy allows none."""
    for template in Path(routes.__file__).parents[1].joinpath("templates").glob("*.html"):
        text = template.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:", text), (
            template
        )
        assert not re.search(r"(src|href)=\"https?:", text), template


@pytest.mark.parametrize(
    "typed",
    [{"pump": "a\0b"}, {"from": "2026-13-45"}, {"after": "1.é"}, {"after": "9" * 18 + ".a"}, {"state": "x"}],
)
def test_what_nobody_can_search_for_is_left_out(typed: dict[str, str]):
    """A NUL that no database takes, a day that does not exist, another page's mark: a search for everything."""
    assert Asked.of(typed).search == AlertSearch()


def test_an_id_that_no_alert_has_is_not_asked_for(client: TestClient[Litestar]):
    """404 even where the database would refuse the question."""
    assert client.get("/alerts/%00").status_code == 404
