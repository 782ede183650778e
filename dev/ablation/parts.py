"""The parts of the detection that an ablation takes out, each as a small patch of the code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class PatchError(Exception):
    """A patch no longer fits its file: read the file and state the patch anew."""


@dataclass(frozen=True)
class Patch:
    """`old` stands exactly once in `file` and becomes `new`."""

    file: str
    old: str
    new: str

    def fits(self, tree: Path) -> str:
        """Text of the file; PatchError if it is not as the patch expects it."""
        text = (tree / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise PatchError(f"{self.file}: {text.count(self.old)} places read {self.old!r}, one should")
        return text

    def apply(self, tree: Path) -> None:
        """Patch the file in a copy of the tree."""
        text = self.fits(tree).replace(self.old, self.new)
        (tree / self.file).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Ablation:
    """A part taken out: what stands in its place, and the causes that it is there for."""

    name: str
    instead: str
    causes: tuple[str, ...]
    patches: tuple[Patch, ...]


ABLATIONS = (
    Ablation(
        "occlusion: shape",
        "every pressure above the threshold is a block",
        ("occlusion",),
        (
            Patch(
                "kernels/occlusion.py",
                "        return tower\n    rise = low_kpa",
                "        return tower\n    return HOLD_ROWS\n    rise = low_kpa",
            ),
        ),
    ),
    Ablation(
        "occlusion: threshold by extreme values",
        "top and half of the envelope's width",
        ("occlusion",),
        (
            Patch(
                "kernels/pressure_model.py",
                "threshold = mean + K_OF_N[max(n, 6) - 6] * math.sqrt(squares / (n - 1))",
                "threshold = top + MARGIN * (top - base) + 0.0 * squares",
            ),
        ),
    ),
    Ablation(
        "occlusion: limit of what a day may teach",
        "every day is learned as it is",
        ("occlusion",),
        (
            Patch(
                "kernels/pressure_model.py",
                "follow = FOLLOW * share * (",
                "follow = 1e9 * share * (",
            ),
        ),
    ),
    Ablation(
        "leak: less evidence near the zero of the gauge",
        "the same evidence everywhere",
        ("leak",),
        (Patch("kernels/leak.py", "(SURE_ZONE if _in_zone(x, mean_kpa) else SURE)", "SURE"),),
    ),
    Ablation(
        "leak: stiller than ever from row to row",
        "block means alone",
        ("leak",),
        (
            Patch(
                "kernels/leak.py",
                "    still = still or stiller(x, AT, STILLER if score < SURE_ZONE else 1.0)\n",
                "    still = bool(still)\n",
            ),
        ),
    ),
    Ablation(
        "air: two channels must agree",
        "the channel that says most decides",
        ("air_in_line",),
        (Patch("kernels/air.py", "    return float(low)\n", "    return float(high)\n"),),
    ),
    Ablation(
        "reservoir: offset of the level sensor",
        "the level is believed to be true",
        ("dry_before_alarm", "over_delivery", "under_delivery"),
        (
            Patch(
                "kernels/level_sensor.py",
                "x[st.RES_OO] = sd_ul * sd_ul if sd_ul > 0.0 else 0.0",
                "x[st.RES_OO] = 0.0 * sd_ul",
            ),
            Patch(
                "kernels/level_sensor.py",
                "x[st.RES_OO] += max(share * sd_ul * sd_ul, walked)",
                "x[st.RES_OO] += 0.0 * max(share * sd_ul * sd_ul, walked)",
            ),
        ),
    ),
    Ablation(
        "reservoir: step of the stroke",
        "the stroke only drifts",
        ("dry_before_alarm", "over_delivery", "under_delivery"),
        (
            Patch(
                "kernels/shift.py",
                "if square >= LIMIT_Z * LIMIT_Z * information and information > 0.0:",
                "if square < 0.0:",
            ),
        ),
    ),
    Ablation(
        "dry before alarm: on-delay",
        "said at once",
        ("dry_before_alarm",),
        (
            Patch(
                "processors/forecasts.py",
                "full_at_us = since_us + max(early_us - since_us, 0) // DRY_ON_DELAY",
                "full_at_us = since_us if early_us else at_us",
            ),
        ),
    ),
    Ablation(
        "drug level in the spinal fluid",
        "harm 8 to 72 h after a stop, no risk of a level",
        ("withdrawal_risk", "overdose_risk", "restart_overdose"),
        (
            Patch(
                "processors/risk.py",
                "return bool(fluid_habit.known(state.x)) and",
                "return False and bool(fluid_habit.known(state.x)) and",
            ),
        ),
    ),
    Ablation(
        "health score",
        "nothing is said of what no detector names",
        ("unclassified",),
        (
            Patch(
                "kernels/health.py",
                "groups = _moved_groups(x) if same_flow and",
                "groups = _moved_groups(x) if False and same_flow and",
            ),
        ),
    ),
    Ablation(
        "lost channels",
        "a sensor that dies or stands still is not noticed",
        ("monitoring_lost",),
        (Patch("processors/readiness.py", "    if not causes:\n", "    if causes is not None:\n"),),
    ),
)
