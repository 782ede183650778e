"""Topics of a bench's own, gone at its end."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient

from thecaflow.settings import Settings


async def delete_topics(settings: Settings) -> None:
    """Delete the events' and the facts' topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_topics([settings.events_topic, settings.facts_topic])
    finally:
        await admin.close()
