"""Makes, checks, measures and deletes the Kafka topics: their number of partitions is for good, their retention can be set again."""

import asyncio
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from contract.errors import ThecaflowError
from thecaflow.settings import Settings

DAY_MS = 24 * 3600 * 1000
WAIT_S = 15.0


class TopicError(ThecaflowError):
    """The topics are not as the settings say, or the broker cannot be asked."""


@dataclass(frozen=True)
class TopicState:
    """What the broker says about one of our topics."""

    name: str
    partitions: int
    """0 where the topic does not exist."""
    retention_ms: int


async def create_topics(settings: Settings) -> list[TopicState]:
    """Make what is missing, set the retention, and return what there is now; safe to repeat.

    Raises TopicError where a topic has another number of partitions: a pump would change its partition, and with it the
    order of its events and the worker that knows it. Raises it too where the broker does not answer.
    """
    admin = await _connect(settings)
    try:
        states = await _states(admin, settings)
        for state in states:
            _refuse_other_partitions(state, settings)
        await _create(admin, [state.name for state in states if state.partitions == 0], settings)
        await _set_retention(admin, [state.name for state in states if state.partitions > 0], settings)
        return await _states_when_seen(admin, settings)
    except (KafkaError, TimeoutError) as error:
        raise TopicError(f"Kafka at {settings.kafka} refused: {error!r}") from error
    finally:
        await admin.close()


async def check_topics(settings: Settings) -> list[TopicState]:
    """Return what there is. Raises TopicError naming the first topic that is missing or not as the settings say."""
    admin = await _connect(settings)
    try:
        states = await _states(admin, settings)
    except KafkaError as error:
        raise TopicError(f"Kafka at {settings.kafka} refused: {error}") from error
    finally:
        await admin.close()
    for state in states:
        if state.partitions == 0:
            raise TopicError(f"topic {state.name} does not exist: run `thecaflow topics create`")
        _refuse_other_partitions(state, settings)
        if state.retention_ms != retention_ms(settings):
            raise TopicError(
                f"topic {state.name} keeps its records {state.retention_ms / DAY_MS:g} days, not "
                f"{settings.topic_retention_days:g}: run `thecaflow topics create`"
            )
    return states


async def end_offsets(settings: Settings) -> dict[int, int]:
    """Return the offset after the last record of each partition of the events topic.

    Raises TopicError where the broker does not answer or the topic does not exist.
    """
    admin = await _connect(settings)
    try:
        [events, _] = await _states(admin, settings)
    finally:
        await admin.close()
    if events.partitions == 0:
        raise TopicError(f"topic {events.name} does not exist: run `thecaflow topics create`")
    places = [TopicPartition(events.name, number) for number in range(events.partitions)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, request_timeout_ms=round(WAIT_S * 1000), enable_auto_commit=False
    )
    try:
        await consumer.start()
        consumer.assign(places)  # else it asks for no topic's metadata, and waits for them for ever
        ends = await consumer.end_offsets(places)
    except (KafkaError, OSError) as error:
        raise TopicError(f"Kafka at {settings.kafka} refused: {error!r}") from error
    finally:
        await consumer.stop()
    return {place.partition: offset for place, offset in ends.items()}


async def delete_topics(settings: Settings) -> None:
    """Delete both topics with all their records, if they are there, and wait until the broker has forgotten them."""
    admin = await _connect(settings)
    try:
        there = [state.name for state in await _states(admin, settings) if state.partitions > 0]
        if there:
            await admin.delete_topics(there)
        async with asyncio.timeout(WAIT_S):
            while True:
                if not any(state.partitions > 0 for state in await _states(admin, settings)):
                    return
                await asyncio.sleep(0.05)
    except (KafkaError, TimeoutError) as error:
        raise TopicError(f"Kafka at {settings.kafka} refused: {error!r}") from error
    finally:
        await admin.close()


def retention_ms(settings: Settings) -> int:
    """Retention of our topics in the broker's unit."""
    return round(settings.topic_retention_days * DAY_MS)


async def _connect(settings: Settings) -> AIOKafkaAdminClient:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka, request_timeout_ms=round(WAIT_S * 1000))
    try:
        await admin.start()
    except (KafkaError, OSError) as error:
        await admin.close()
        raise TopicError(
            f"no Kafka answers at {settings.kafka}: `make up`, or set THECAFLOW_KAFKA ({error})"
        ) from error
    return admin


def _refuse_other_partitions(state: TopicState, settings: Settings) -> None:
    if state.partitions not in (0, settings.topic_partitions):
        raise TopicError(
            f"topic {state.name} has {state.partitions} partitions, the settings say {settings.topic_partitions}. The "
            f"number is fixed for good: set THECAFLOW_TOPIC_PARTITIONS={state.partitions}, or use another topic name"
        )


async def _create(admin: AIOKafkaAdminClient, names: list[str], settings: Settings) -> None:
    topics = [
        NewTopic(
            name=name,
            num_partitions=settings.topic_partitions,
            replication_factor=settings.topic_replicas,
            topic_configs=_topic_settings(settings),
        )
        for name in names
    ]
    if not topics:
        return
    answer = await admin.create_topics(topics)
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        if code != 0 and error is not TopicAlreadyExistsError:  # somebody else was quicker: as good
            raise TopicError(
                f"topic {name} could not be made: {error.__name__} {' '.join(filter(None, message))}"
            )


def _topic_settings(settings: Settings) -> dict[str, str]:
    return {"retention.ms": str(retention_ms(settings)), "cleanup.policy": "delete"}


async def _set_retention(admin: AIOKafkaAdminClient, names: list[str], settings: Settings) -> None:
    if not names:
        return
    wanted = _topic_settings(settings)
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, configs=wanted) for name in names]
    for answer in await admin.alter_configs(resources):
        for code, message, *_ in answer.resources:
            if code != 0:
                raise TopicError(f"retention could not be set: {message or for_code(code).__name__}")


async def _states_when_seen(admin: AIOKafkaAdminClient, settings: Settings) -> list[TopicState]:
    """Wait until the broker shows what it has just accepted: its metadata follow a moment later."""
    wanted = (settings.topic_partitions, retention_ms(settings))
    async with asyncio.timeout(WAIT_S):
        while True:
            states = await _states(admin, settings)
            if all((state.partitions, state.retention_ms) == wanted for state in states):
                return states
            await asyncio.sleep(0.05)


async def _states(admin: AIOKafkaAdminClient, settings: Settings) -> list[TopicState]:
    names = [settings.events_topic, settings.facts_topic]
    partitions = {
        topic["topic"]: len(topic["partitions"])
        for topic in await admin.describe_topics(names)
        if topic["error_code"] == 0
    }
    there = [name for name in names if name in partitions]
    retention = await _retention(admin, there)
    return [TopicState(name, partitions.get(name, 0), retention.get(name, 0)) for name in names]


async def _retention(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    if not names:
        return {}
    found = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    for answer in await admin.describe_configs(resources):
        for _code, _message, _kind, name, entries in answer.resources:
            found[name] = next(int(entry[1]) for entry in entries if entry[0] == "retention.ms")
    return found
