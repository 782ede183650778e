"""Pages through real Prometheus and Alertmanager with the project's rules and routes.

The console is not the subject here: a stand-in serves its alerting metrics (tests/paging.py). That the real console
serves them, and that they outlive workers and the database, is tests/chaos/test_pages.py.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.paging import OPEN_WITHIN_S, Opened, Paging, Webhook, own_paging, wait_for

GROUP_S = 10.0
"""After a change: 2 s scrape, 2 s rules, 5 s group interval, and a second."""
CONSOLE_DOWN_WITHIN_S = 120.0


@pytest.fixture(scope="module")
def pair() -> Iterator[Paging]:
    """The pair, started once for this file; each test has sites of its own."""
    with own_paging() as running:
        yield running


def test_forty_silent_pumps_of_one_relay_are_one_page(pair: Paging):
    """One page names the site; none of its pumps is paged, notified, or named beside it."""
    site, began = "relay", time.monotonic()
    pair.consoles[0].silent[site] = (40, 40)
    silent = {Opened(f"{site}-{number}", site, "telemetry_silent", "high") for number in range(20)}
    silent |= {Opened(f"{site}-{number}", site, "telemetry_silent", "medium") for number in range(20, 40)}
    pair.consoles[0].alerts |= silent
    wait_for(lambda: pair.receiver.taken("pages", site=site), OPEN_WITHIN_S, "the site's page")
    time.sleep(GROUP_S)
    told = pair.receiver.taken(since_s=began, site=site)
    assert [(webhook.receiver, len(webhook.alerts)) for webhook in told] == [("pages", 1)]
    (page,) = told[0].alerts
    assert page["labels"]["alertname"] == "SiteSilent"
    assert page["annotations"]["summary"] == "relay: 40 pumps are not heard, half of the site or more"
    pair.consoles[0].alerts -= silent
    del pair.consoles[0].silent[site]


def test_a_thousand_alerts_at_once_are_few_notifications(pair: Paging):
    """1,000 alerts of five sites arrive whole within the time of one page, in at most three webhooks a site and priority."""
    sites = [f"flood-{number}" for number in range(5)]
    opened = {
        Opened(f"{site}-{number}", site, "leak", "high" if number % 2 else "medium", harm_s=3600.0 + number)
        for site in sites
        for number in range(200)
    }
    began = time.monotonic()
    pair.consoles[0].alerts |= opened

    def arrived() -> set[str]:
        webhooks = [webhook for site in sites for webhook in pair.receiver.taken(since_s=began, site=site)]
        return {alert["labels"]["pump"] for webhook in webhooks for alert in webhook.alerts}

    wait_for(lambda: len(arrived()) == 1000, OPEN_WITHIN_S, "all of a thousand alerts")
    for site in sites:
        for receiver, priority in (("pages", "high"), ("notifications", "medium")):
            webhooks = pair.receiver.taken(receiver, since_s=began, site=site)
            assert {alert["labels"]["priority"] for webhook in webhooks for alert in webhook.alerts} == {
                priority
            }
            assert 1 <= len(webhooks) <= 3, (site, priority)
    pair.consoles[0].alerts -= opened


def test_two_consoles_page_once(pair: Paging):
    """The same alert served by two consoles is one alert in one webhook, and again none when one of them goes."""
    alert, began = Opened("twice-1", "twice", "occlusion", "high", harm_s=9000.0), time.monotonic()
    for console in pair.consoles:
        console.alerts.add(alert)
    (first,) = wait_for(lambda: pair.receiver.taken("pages", site="twice"), OPEN_WITHIN_S, "the page")
    assert len(first.alerts) == 1
    assert first.alerts[0]["annotations"]["harm"].startswith("Withdrawal is expected in 2h 2")
    pair.consoles[1].down()
    time.sleep(GROUP_S)
    assert pair.receiver.taken(since_s=began, site="twice") == [first]
    pair.consoles[1].up()
    for console in pair.consoles:
        console.alerts.discard(alert)


def test_an_acknowledged_alert_is_not_repeated_and_ends_when_it_is_over(pair: Paging):
    """A page is repeated until it is answered, then silent while it is open, and its end is told.

    Five minutes between repetitions are made five seconds for this test; another site stays unanswered beside it.
    """
    pair.reload_routes(lambda text: text.replace("repeat_interval: 5m", "repeat_interval: 5s"))
    console = pair.consoles[0]
    answered, other = Opened("ack-1", "ack", "leak", "high"), Opened("noack-1", "noack", "leak", "high")
    console.alerts |= {answered, other}
    wait_for(lambda: len(pair.receiver.taken("pages", site="ack")) >= 2, 30.0, "a repetition")
    console.alerts.discard(answered)
    handled = replace(answered, handled=True)
    console.alerts.add(handled)
    time.sleep(GROUP_S)
    quiet_since = time.monotonic()
    wait_for(
        lambda: len(pair.receiver.taken("pages", since_s=quiet_since, site="noack")) >= 2,
        30.0,
        "repetitions beside it",
    )
    assert pair.receiver.taken(since_s=quiet_since, site="ack") == []
    console.alerts -= {handled, other}
    (end,) = wait_for(lambda: pair.receiver.taken("pages", since_s=quiet_since, site="ack"), 20.0, "its end")
    assert [alert["status"] for alert in end.alerts] == ["resolved"]
    pair.reload_routes(lambda text: text.replace("repeat_interval: 5s", "repeat_interval: 5m"))


def test_what_was_put_aside_is_told_when_it_comes_back(pair: Paging):
    """A medium alert is repeated by the four hours; the end of its shelf is told within seconds, and its own end, too."""
    console = pair.consoles[0]
    stall = Opened("back-1", "back", "motor_stall", "medium")
    shelved = replace(stall, handled=True)
    console.alerts.add(stall)
    wait_for(lambda: pair.receiver.taken("notifications", site="back"), OPEN_WITHIN_S, "the notification")
    console.alerts.add(shelved)
    console.alerts.discard(stall)
    time.sleep(GROUP_S)
    ended = time.monotonic()
    console.alerts.add(stall)
    console.alerts.discard(shelved)
    (told,) = wait_for(
        lambda: pair.receiver.taken("notifications", since_s=ended, site="back"), OPEN_WITHIN_S, "its return"
    )
    assert {alert["labels"]["alertname"] for alert in told.alerts} == {"MotorStall", "PumpAlertReturned"}
    over = time.monotonic()
    console.alerts.discard(stall)
    wait_for(
        lambda: (
            _statuses(pair.receiver.taken("notifications", since_s=over, site="back"))
            == {("MotorStall", "resolved"), ("PumpAlertReturned", "resolved")}
        ),
        OPEN_WITHIN_S,
        "its end",
    )


def _statuses(webhooks: list[Webhook]) -> set[tuple[str, str]]:
    return {
        (alert["labels"]["alertname"], alert["status"]) for webhook in webhooks for alert in webhook.alerts
    }


def test_the_watchdog_is_heard(pair: Paging):
    """Within a minute of the start of both the dead man's switch is told that pages work."""
    wait_for(lambda: pair.receiver.taken("watchdog", alertname="Watchdog"), 60.0, "the watchdog")


def test_a_page_outlives_consoles_and_prometheus_and_ends_with_its_alert(pair: Paging):
    """No console: operations hear it within 2 minutes, and no page ends; nor by a restart of Prometheus. A real end does."""
    stays, ends = Opened("out-1", "out", "leak", "high"), Opened("out-2", "out", "occlusion", "high")
    for console in pair.consoles:
        console.alerts |= {stays, ends}
    wait_for(lambda: pair.receiver.taken("pages", pump="out-1"), OPEN_WITHIN_S, "the page")
    began = time.monotonic()
    for console in pair.consoles:
        console.down()
        console.alerts.discard(ends)
    (down,) = wait_for(
        lambda: pair.receiver.taken("operations", since_s=began, alertname="ConsoleDown"),
        CONSOLE_DOWN_WITHIN_S,
        "ConsoleDown",
    )
    assert down.of(alertname="ConsoleDown")[0]["status"] == "firing"
    assert _ended(pair, began) == set()
    for console in pair.consoles:
        console.up()
    wait_for(lambda: _ended(pair, began), OPEN_WITHIN_S, "the end of the one that is over")
    for console in pair.consoles:
        console.down()
    pair.stack.stop("prom")
    pair.stack.start("prom")
    time.sleep(GROUP_S)
    for console in pair.consoles:
        console.up()
    time.sleep(GROUP_S)
    assert _ended(pair, began) == {"out-2"}
    for console in pair.consoles:
        console.alerts.discard(stays)


def _ended(pair: Paging, since_s: float) -> set[str]:
    webhooks = pair.receiver.taken("pages", since_s=since_s, site="out")
    return {
        alert["labels"]["pump"]
        for webhook in webhooks
        for alert in webhook.alerts
        if alert["status"] == "resolved" and alert["labels"]["site"] == "out"
    }
