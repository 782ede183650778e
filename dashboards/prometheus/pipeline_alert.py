"""One alert about the pipeline itself, as Prometheus and the runbook read it."""

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from dashboards.prometheus.pump_rules import checks_words

Severity: TypeAlias = Literal["page", "ticket", "none"]

RUNBOOK: Final = "dashboards/runbooks/pipeline.md"
LAG: Final = "max by (partition) (thecaflow_lag_records)"
"""A partition that has just moved is reported by two workers for a scrape or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineAlert:
    """One alerting rule; `title` is the summary in the runbook, `summary` the same as a template."""

    name: str
    severity: Severity
    expr: str
    wait: str | None = None
    title: str
    summary: str = ""
    effect: str
    first_checks: tuple[str, ...]
    look_alike: str
    """What resembles it and does not fire it."""

    @property
    def rule(self) -> dict[str, Any]:
        """The rule as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            **({"for": self.wait} if self.wait else {}),
            "labels": {"kind": "pipeline", "severity": self.severity},
            "annotations": {
                "summary": self.summary or self.title,
                "effect": self.effect,
                "first_checks": checks_words(self.first_checks),
                "runbook": f"{RUNBOOK}#{self.name.lower()}",
            },
        }


def down(job: str) -> str:
    """Nobody of a job that was up once can be scraped, whether its targets are still listed or not."""
    return f'thecaflow:job_seen{{job="{job}"}} unless on (job) (thecaflow:job_up > 0)'
