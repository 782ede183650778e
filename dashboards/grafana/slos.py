"""The three promises of the pipeline and how fast their error budgets burn, in PromQL.

Multi-window burn rates after the Site Reliability Workbook, chapter 5: a budget of 30 days is spent in two days at 14.4 and
in five at 6; the short window of each pair says whether it still burns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dashboards.prometheus.thresholds import SNAPSHOT_OLD_S

COMMITTED_WITHIN_S: Final = 10
"""Half of the 20 s from a fact to its page; a bucket of the histogram, so that the share is exact."""
PAIRS: Final = (("5m", "1h", 14.4), ("30m", "6h", 6.0), ("6h", "3d", 1.0))
"""(short window, long window, burn rate of both at which somebody should look)."""
WINDOWS: Final = ("5m", "30m", "1h", "6h", "3d")
_LONG: Final = ("6h", "3d")


@dataclass(frozen=True, slots=True)
class Slo:
    """A promise; `error_share` has `{window}` where the window goes, `{step}` where that of a subquery goes."""

    name: str
    promise: str
    objective: float
    error_share: str

    def errors(self, window: str) -> str:
        """The share of `window` in which the promise was broken."""
        step = "1m" if window in _LONG or window.startswith("$") else "15s"
        return self.error_share.replace("{window}", window).replace("{step}", step)

    def burn(self, window: str) -> str:
        """How many times as fast as allowed the budget went down in `window`: 1 spends it exactly."""
        return f"({self.errors(window)}) / {1 - self.objective:.6g}"

    def both(self, short: str, long: str) -> str:
        """The slower of the two windows' burn rates: high only if it burns, and has burnt for a while."""
        named = (
            f'label_replace({self.burn(window)}, "window", "{window}", "", "")' for window in (short, long)
        )
        return f"min({' or '.join(named)})"


LATENCY: Final = Slo(
    "Committed in time",
    f"99 % of events are committed within {COMMITTED_WITHIN_S} s of their reception",
    0.99,
    f'1 - sum(rate(thecaflow_end_to_end_seconds_bucket{{le="{COMMITTED_WITHIN_S:.1f}"}}[{{window}}]))'
    " / (sum(rate(thecaflow_end_to_end_seconds_count[{window}])) > 0)",
)
GATEWAY: Final = Slo(
    "Gateway takes posts",
    "99.9 % of posts are answered without a 5xx, by a gateway that is up",
    0.999,
    '1 - (1 - ((sum(rate(thecaflow_gateway_requests_total{status=~"5.."}[{window}])) or vector(0))'
    " / (sum(rate(thecaflow_gateway_requests_total[{window}])) > 0) or vector(0)))"
    ' * avg_over_time(max(up{job="gateway"})[{window}:{step}])',
)
PAGING: Final = Slo(
    "Pages are of the present",
    f"99.9 % of the time a console serves alerts that the database confirmed within {SNAPSHOT_OLD_S} s",
    0.999,
    '1 - avg_over_time((max(up{job="console"} * on (instance)'
    f" (thecaflow_console_snapshot_age_seconds < bool {SNAPSHOT_OLD_S}))"
    ' or 0 * max(up{job="console"}))[{window}:{step}])',
)
SLOS: Final = (LATENCY, GATEWAY, PAGING)
