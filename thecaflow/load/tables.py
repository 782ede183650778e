"""A report in words: what a terminal shows at the end of a run."""

from __future__ import annotations

from thecaflow.load.report import Found, LoadReport, Percentiles

NOT_LOOKED_UP = "the database could not be asked: nothing is known of what was lost"


def summary(report: LoadReport) -> str:
    """Return the outcome in some lines."""
    plan, frames, posts, lag = report.plan, report.frames, report.posts, report.lag
    ended = "" if report.finished else ", ended early"
    lines = [
        (
            f"run {report.run}: {plan.rate_frames_s:,g} frames/s of {plan.samples} samples for {plan.duration_s:g} s after "
            f"{plan.warm_up_s:g} s of warm-up, {plan.pumps:,} pumps, {plan.frames_a_post} frames a post{ended}"
        ),
        (
            f"due         {frames.due:,} frames: accepted {frames.accepted:,}, quarantined {frames.quarantined:,}, refused "
            f"{frames.refused:,}, unanswered {frames.unanswered:,}, not sent {frames.unsent:,}"
        ),
        *(f"            {count:8,d}  {reason}" for reason, count in report.reasons.items()),
        f"rate        {report.rate_frames_s:,.1f} frames/s acknowledged, {report.rate_frames_s * plan.samples:,.0f} samples/s",
        (
            f"schedule    {posts.sent:,} posts, {posts.late:,} late ({posts.late_by_itself:,} by the sender's own fault, "
            f"at most {posts.behind_max_ms:,.0f} ms behind)"
        ),
        f"accept      {in_words(report.accept)}   due -> answer",
        f"commit      {in_words(report.commit)}   received -> in the database",
        f"whole       {in_words(report.whole)}   due -> in the database",
        (
            f"lag         mean {lag.mean:,.0f}, most {lag.max:,} records, grew by {lag.growth:,.0f}: "
            f"{'bounded' if lag.bounded else 'NOT bounded'}; {_drained(lag.drained_s)}"
        ),
        (
            f"machine     {busy_in_words(report.machine_busy)} of {report.machine.cores} cores busy, the sender used "
            f"{report.own_cores:.2f} of a core"
        ),
    ]
    return "\n".join([*lines, *found_in_words(report.found)])


def in_words(times: Percentiles) -> str:
    """Percentiles in one line."""
    return f"p50 {times.p50_ms:,.0f}, p90 {times.p90_ms:,.0f}, p99 {times.p99_ms:,.0f}, max {times.max_ms:,.0f} ms"


def busy_in_words(share: float | None) -> str:
    """A share of the machine, where it is known."""
    return "an unknown share" if share is None else f"{share:.0%}"


def found_in_words(found: Found | None) -> list[str]:
    """Return what the look into the database showed."""
    if found is None:
        return [f"lost        {NOT_LOOKED_UP}"]
    alerts = sum(found.alerts.values())
    lines = [
        (
            f"lost        {found.lost:,} of {found.acknowledged:,} acknowledged events, by their ids; {found.twice:,} stored twice, "
            f"{found.quarantined:,} in quarantine"
        )
    ]
    if found.lost:
        lines.append(f"            such as {', '.join(found.lost_ids[:3])}")
    if alerts:
        causes = ", ".join(f"{cause} {count:,}" for cause, count in found.alerts.items())
        lines.append(f"alerts      {alerts:,} of these healthy pumps: {causes}")
    return lines


def _drained(drained_s: float | None) -> str:
    if drained_s is None:
        return "what was left did not come to be in the database"
    return f"all in the database {drained_s:.1f} s after the end"
