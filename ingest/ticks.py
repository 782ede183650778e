"""Ticks: `it is now at least` in every partition, so that deadlines of pumps that say nothing come due."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from contract.codec import encode_wire
from contract.errors import UnreachableError
from contract.events import Tick
from ingest.producer import BoundedProducer

logger = logging.getLogger(__name__)

TICK_EVERY_S: Final = 10.0


async def tick_for_ever(
    producer: BoundedProducer, every_s: float, now_us: Callable[[], int], counted: Callable[[int], None]
) -> None:
    """Write a tick into every partition each `every_s`; one that cannot be written is left out, the next says more."""
    while True:
        try:
            pause_s = every_s
            counted(await producer.write_to_all(encode_wire(Tick(at_us=now_us()))))
        except UnreachableError as away:
            logger.debug("tick left out: %s", away)
            pause_s = min(1.0, every_s)
        except Exception as surprise:  # noqa: BLE001 - without ticks the deadlines of silent pumps would not come due
            logger.error("tick left out: %s", type(surprise).__name__)  # noqa: TRY400
        await asyncio.sleep(pause_s)
