"""The alert book: states, latching, acknowledgement, shelving, priority by time to harm (contract, Facts)."""

from __future__ import annotations

from contract.facts import Alert, AlertState, Cause, Priority
from processors import alerts
from processors.alerts import Book, Condition, Response

HOUR = 3_600_000_000


def said(lines: list[Alert]) -> list[tuple[int, str, str]]:
    """Time, state and priority of each line."""
    return [(line.at_us, str(line.state), str(line.priority)) for line in lines]


def seen(at_us: int, level: int, cause: Cause = Cause.MOTOR_STALL, **more: object) -> Condition:
    """What a detector says."""
    return Condition(cause=cause, at_us=at_us, level=level, **more)  # type: ignore[arg-type]


def run(*steps: Condition | Response | int) -> list[Alert]:
    """Feed a fresh book: conditions, responses, or a time up to which deadlines fire."""
    book, lines = Book(pump="p"), []
    for step in steps:
        if isinstance(step, int):
            book, new = alerts.advance(book, step)
        else:
            book, early = alerts.advance(book, step.at_us)
            act = alerts.observe if isinstance(step, Condition) else alerts.respond
            book, new = act(book, step)  # type: ignore[operator]
            new = early + new
        lines += new
    return lines


def ack(at_us: int, **more: object) -> Response:
    """An acknowledgement of the stall, by cause unless an id is given."""
    what: dict[str, object] = {"alert_id": None, "cause": Cause.MOTOR_STALL, "received_us": at_us} | more
    return Response(at_us=at_us, **what)  # type: ignore[arg-type]


def test_pending_becomes_active_and_latches_when_it_goes_unacknowledged() -> None:
    """One line per change of state; `since` is the pending line's time throughout."""
    lines = run(seen(1, 1), seen(2, 2), seen(3, 0))
    assert said(lines) == [(1, "pending", "medium"), (2, "active", "medium"), (3, "latched", "medium")]
    assert {line.since_us for line in lines} == {1}
    assert len({line.alert_id for line in lines}) == 1


def test_pending_that_goes_is_cleared() -> None:
    """A condition that does not last never alarms."""
    assert said(run(seen(1, 1), seen(2, 0))) == [(1, "pending", "medium"), (2, "cleared", "medium")]


def test_low_alerts_clear_by_themselves() -> None:
    """Low and info need no acknowledgement."""
    lines = run(seen(1, 2, Cause.REFILL_DUE), seen(2, 0, Cause.REFILL_DUE))
    assert said(lines) == [(1, "active", "low"), (2, "cleared", "low")]


def test_acknowledged_alert_clears_when_the_condition_goes() -> None:
    """Ack is not clear: it stays open until the condition is gone."""
    lines = run(seen(1, 2), ack(2), seen(3, 0))
    assert [state for _, state, _ in said(lines)] == ["active", "acknowledged", "cleared"]


def test_ack_of_latched_clears_it() -> None:
    """What is over and was seen is closed."""
    assert said(run(seen(1, 2), seen(2, 0), ack(3)))[-1] == (3, "cleared", "medium")


def test_latched_alert_whose_condition_comes_back_keeps_its_id() -> None:
    """The same alert again until somebody clears it; after that it is a new one."""
    lines = run(seen(1, 2), seen(2, 0), seen(3, 2), seen(4, 0), ack(5), seen(6, 2))
    assert [state for _, state, _ in said(lines)] == [
        "active",
        "latched",
        "active",
        "latched",
        "cleared",
        "active",
    ]
    assert len({line.alert_id for line in lines[:5]}) == 1
    assert lines[5].alert_id != lines[0].alert_id


def test_on_delay_of_a_latched_alert_says_nothing() -> None:
    """Only the full condition brings a latched alert back."""
    assert len(run(seen(1, 2), seen(2, 0), seen(3, 1), seen(4, 0))) == 2


def test_priority_rises_as_harm_comes_nearer() -> None:
    """Within 24 h at least medium, within 6 h high, each at its own time."""
    harm = seen(0, 2, Cause.DRIVE_WEAR, harm_lo_us=30 * HOUR, harm_hi_us=40 * HOUR)
    lines = run(harm, 100 * HOUR)
    assert said(lines) == [
        (0, "active", "low"),
        (6 * HOUR, "active", "medium"),
        (24 * HOUR, "active", "high"),
    ]


def test_a_rise_of_priority_makes_an_acknowledged_alert_active() -> None:
    """An acknowledgement is of what was known then."""
    lines = run(seen(0, 2, harm_lo_us=8 * HOUR), ack(1), 3 * HOUR)
    assert said(lines)[-1] == (2 * HOUR, "active", "high")


def test_a_shelf_ends_by_itself_after_24_hours_at_most() -> None:
    """Nobody shelves an alert for longer than a day."""
    lines = run(seen(0, 2), ack(1, until_us=90 * HOUR), 100 * HOUR)
    assert said(lines)[1:] == [(1, "shelved", "medium"), (1 + 24 * HOUR, "active", "medium")]


def test_a_shelf_is_void_once_it_worsens() -> None:
    """A snooze does not outlive a rise of priority."""
    lines = run(seen(0, 2, harm_lo_us=10 * HOUR), ack(1, until_us=20 * HOUR), 5 * HOUR)
    assert said(lines)[-1] == (4 * HOUR, "active", "high")


def test_shelved_condition_that_goes_is_cleared() -> None:
    """Nothing latches behind a shelf."""
    assert said(run(seen(0, 2), ack(1, until_us=9 * HOUR), seen(2, 0)))[-1] == (2, "cleared", "medium")


def test_harm_that_moves_by_more_than_a_tenth_is_written() -> None:
    """Ten per cent of the time that was left when it was last written, either way."""
    lines = run(
        seen(0, 2, harm_lo_us=100 * HOUR),
        seen(1, 2, harm_lo_us=109 * HOUR),
        seen(2, 2, harm_lo_us=111 * HOUR),
        seen(3, 2, harm_lo_us=101 * HOUR),
    )
    assert [line.at_us for line in lines] == [0, 2]


def test_an_ack_by_id_waits_for_that_id() -> None:
    """An acknowledgement may be folded before the alert that it names."""
    name = alerts.alert_id_of("p", Cause.MOTOR_STALL, 5)
    lines = run(ack(1, alert_id=name, cause=None), seen(5, 2))
    assert said(lines) == [(5, "active", "medium"), (5, "acknowledged", "medium")]


def test_an_ack_by_cause_binds_to_what_began_with_data_received_before_it() -> None:
    """Nobody acknowledges what nobody could know."""
    early = run(seen(0, 2, received_us=100), ack(1, received_us=99))
    assert said(early) == [(0, "active", "medium")]
    assert said(run(seen(0, 2, received_us=100), ack(1, received_us=100)))[-1][1] == "acknowledged"


def test_close_clears_everything() -> None:
    """A pump that was taken out has no open alert."""
    book, _ = alerts.observe(Book(pump="p"), seen(0, 2))
    book, lines = alerts.close(book, 7)
    assert (said(lines), book.alerts) == ([(7, "cleared", "medium")], {})
    assert alerts.next_deadline_us(book) is None


def test_states_and_priorities_are_the_contracts() -> None:
    """The words that outside programs rely on."""
    assert {str(state) for state in AlertState} == {
        "pending", "active", "acknowledged", "latched", "shelved", "cleared",
    }  # fmt: skip
    assert [str(level) for level in Priority] == ["high", "medium", "low", "info"]
