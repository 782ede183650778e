"""What befalls worker processes in the chaos tests."""

import asyncio
import random
import signal
from collections.abc import Sequence

from tests.workers import WorkerProcess

SESSION_S = 3.0


async def harass(three: Sequence[WorkerProcess], chance: random.Random, seconds: float) -> dict[str, int]:
    """Do harm to one worker after the other; all run again at the end."""
    done = {"SIGKILL": 0, "SIGSTOP": 0, "SIGTERM": 0}
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    kinds = list(done)
    while loop.time() < end:
        await asyncio.sleep(chance.uniform(0.5, 3.0))
        worker = chance.choice(three)
        kind = kinds.pop() if kinds else chance.choice(list(done))
        done[kind] += 1
        number = signal.Signals[kind]
        worker.signal(number)
        if number is signal.SIGSTOP:
            await asyncio.sleep(SESSION_S + chance.uniform(0.5, 2.0))
            worker.signal(signal.SIGCONT)
            continue
        code = await asyncio.to_thread(worker.wait)
        gentle = number is signal.SIGTERM and worker.came_up
        assert code == (0 if gentle else -number), worker.text()[-3000:]
        worker.start()
    return done
