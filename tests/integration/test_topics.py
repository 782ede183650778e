"""``thecaflow topics``: made as the settings say, twice as good as once, never with other partitions."""

import pytest

from thecaflow.settings import Settings
from thecaflow.topics import TopicError, TopicState, check_topics, create_topics

DAY_MS = 24 * 3600 * 1000


async def test_topics_are_made_with_their_partitions_and_retention(settings: Settings):
    """A first create makes both topics, a second changes nothing, and the check agrees."""
    made = await create_topics(settings)
    assert made == [
        TopicState(settings.events_topic, 12, 30 * DAY_MS),
        TopicState(settings.facts_topic, 12, 30 * DAY_MS),
    ]
    assert await create_topics(settings) == made
    assert await check_topics(settings) == made


async def test_another_number_of_partitions_is_refused(topics: Settings):
    """Changed partitions would move pumps to other workers, so both commands refuse and say what to do."""
    changed = topics.with_changes(topic_partitions=16)
    for ask in (create_topics, check_topics):
        with pytest.raises(TopicError, match="has 12 partitions, the settings say 16"):
            await ask(changed)


async def test_another_retention_is_found_and_set(topics: Settings):
    """The check names a wrong retention, and create sets it."""
    changed = topics.with_changes(topic_retention_days=3.0)
    with pytest.raises(TopicError, match="30 days, not 3"):
        await check_topics(changed)
    assert {state.retention_ms for state in await create_topics(changed)} == {3 * DAY_MS}


async def test_missing_topics_are_named(settings: Settings):
    """The check says which command makes a missing topic."""
    with pytest.raises(TopicError, match="topics create"):
        await check_topics(settings)


async def test_a_broker_that_is_not_there_is_one_clear_message():
    """Without a broker the command says so instead of waiting or printing a trace."""
    with pytest.raises(TopicError, match=r"no Kafka answers at 127\.0\.0\.1:1"):
        await create_topics(Settings(kafka="127.0.0.1:1"))
