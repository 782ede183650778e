"""Every number of the alert rules, each with its reason; nowhere else is there one."""

from typing import Final

# ------------------------------------------------------------------------------------------------------------- pumps
PUMP_RULES_EVERY: Final = "2s"
"""As often as the console is scraped: a page is to be at most 20 s behind its fact."""
ESCALATE_AFTER: Final = "10m"
"""Two repetitions of a page unanswered; signs of withdrawal or overdose begin within hours, after a bolus within an hour."""
ANSWER_REMEMBERED: Final = "1m"
"""Thirty evaluations: an answer that ended in any of them is noticed, also if Prometheus was busy."""
SITE_SILENT_PUMPS: Final = 3
"""Two pumps fall silent together by chance (two phones off overnight); three behind one relay are the relay."""
SITE_SILENT_SHARE: Final = 0.5
"""Half of a site: with fewer, a common cause is not the likelier one, and each pump is looked at by itself."""

# ---------------------------------------------------------------------------------------------------------- pipeline
PIPELINE_RULES_EVERY: Final = "5s"
"""As often as gateway and workers are scraped."""
DOWN_FOR: Final = "30s"
"""A restart takes 3 to 10 s and must not page; detection is meant to be back, or somebody told, within 2 minutes."""
LAG_OLD_S: Final = 60
"""Records a minute behind make pages three times as late as the 20 s that they are meant to take."""
LAG_OLD_FOR: Final = "5m"
"""A worker that starts again works off a few minutes of backlog by itself."""
LAG_GROWING_S: Final = 20
"""Less than the 20 s of a page is no lag worth a ticket, whichever way it moves."""
LAG_GROWING_OVER: Final = "10m"
"""Ten ticks of the gateway a minute, uploads by the hour: shorter windows see every upload as growth."""
LAG_GROWING_FOR: Final = "10m"
"""With the window above, growth without a pause for 20 minutes: load, not an upload."""
NO_COMMIT_S: Final = 60
"""Ticks come every 10 s into each partition, and a commit takes well under 1 s: six in a row have been missed."""
NO_COMMIT_FOR: Final = "1m"
"""A rebalance stops commits for some seconds; a partition without any commit yet has this long for its first."""
PARTITIONS_UNREAD_FOR: Final = "2m"
"""A worker that dies is noticed by the broker after its session of some 10 s, then partitions move."""
PARTITIONS_SEEN_OVER: Final = "6h"
"""How long the largest number of partitions is remembered as what it should be."""
REFUSING_SHARE: Final = 0.05
"""Senders try again after a 5xx, so a few during a restart of the broker do no harm; one in twenty is not a few."""
REFUSING_REQUESTS: Final = 10
"""In 5 minutes; below that a share means nothing."""
REFUSING_FOR: Final = "1m"
"""With the rate's 5 minutes: one broken minute and then health fires nothing."""
NOT_CONNECTED_FOR: Final = "1m"
"""A broker's restart takes up to 15 s."""
CLOCK_OFF_S: Final = 2
"""The scrape itself takes milliseconds and time service keeps milliseconds; silence is judged by `received`, to seconds."""
CLOCK_OFF_FOR: Final = "1m"
"""A clock that is being set right jumps once."""
QUARANTINE_SHARE: Final = 0.01
"""Healthy senders produce none: one record in a hundred is a sender whose format has changed."""
QUARANTINE_RECORDS: Final = 20
"""In 10 minutes; a single damaged file of a tester is no fault of the pipeline."""
QUARANTINE_FOR: Final = "5m"
"""With the rate's 10 minutes: a burst that has ended fires nothing."""
SNAPSHOT_OLD_S: Final = 20
"""The console reads the database every second; older than the delay of a page, what it serves is no longer the present."""
SNAPSHOT_OLD_FOR: Final = "30s"
"""A restart of the database takes some seconds."""
DATABASE_AWAY_FOR: Final = "30s"
"""A restart of the database takes some seconds."""
OUTBOX_STUCK_FOR: Final = "5m"
"""Programs behind the topic of facts want them by the minute; pages do not depend on it."""
DATABASE_FULL_SHARE: Final = 0.9
"""The last tenth: PostgreSQL stops writing at the end of the disk, and everything with it."""
DATABASE_FILLING_SHARE: Final = 0.5
"""Below half, a trend of hours says little (a load test, a rebuild)."""
DATABASE_FILLING_OVER: Final = "6h"
"""The trend's window."""
DATABASE_FILLING_WITHIN_S: Final = 4 * 24 * 3600
"""Four days: a long weekend."""
DATABASE_FILLING_FOR: Final = "1h"
"""A rebuild writes a second run and then drops the first."""
NOTIFICATIONS_FAILING_FOR: Final = "5m"
"""Alertmanager tries again by itself; minutes of failures are a wrong address or a receiver that is down."""
RULES_FAILING_FOR: Final = "1m"
"""A rule that fails once fails every time."""
