"""A person's answer to an alert as the alert books take it."""

from __future__ import annotations

from contract.events import AlertAck, AlertShelved
from processors.alerts import Response


def response_to(event: AlertAck | AlertShelved, at_us: int, offset_us: int) -> Response:
    """An acknowledgement or a shelving as the alert book takes it at `at_us`; `until` takes its event's clock offset."""
    return Response(
        at_us=at_us,
        received_us=at_us if event.received_us is None else event.received_us,
        alert_id=event.alert_id,
        cause=event.cause,
        until_us=event.until_us + offset_us if isinstance(event, AlertShelved) else None,
    )
