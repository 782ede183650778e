"""Refills whose volumes do not add up: a pocket fill, a wrong volume, or a pump that delivered something else.

Three witnesses. What was drawn out, against the estimate before the fill, and against what a pump inside its tolerance leaves
by its program (14.5 % and the syringe, docs/domain.md), so that a level sensor that has misled the filter is none. The level sensor in the first hour after it, against
what is said to be in (kernels/fill_level.py). A volume that device or clinic states soon after it. Each must be off by more
than LIMIT of the reservoir, the size that is consequential in practice [S] Maino 2017: 1 mL of 20 mL, 2 mL of 40 mL; and by
more than Z standard deviations of filter, syringe and sensor together, so that an in-tolerance pump whose stroke nobody has
measured is not a mismatch. Z: chance beyond it is 0.3 % a fill; at four fills a year that is 0.01 a pump-year.

While a fault was there since the last fill because of which a stroke moves more (MORE) or less (LESS) than it counts, nobody
knows by how much: what is drawn out then is none if that would explain it, being less, or more, than the program leaves. The
level sensor's offset, which the filter learned meanwhile, may have taken its share, and is not used.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from msgspec.structs import replace

from contract.events import ReservoirFilled, VolumeReported
from contract.facts import Cause
from kernels import fill_level, ledger, reservoir, restart
from kernels import state as s
from kernels.level_sensor import MIN_BLOCKS, OFFSET_SD
from kernels.stroke import Z95
from processors.alerts import Condition
from processors.pump_state import Clinic, PumpState
from processors.watches import Refill

LIMIT: Final = 0.05 * (1.0 + 1e-12)  # of the reservoir; exactly the limit is inside it
Z: Final = 3.0
MORE: Final = frozenset((Cause.OVER_DELIVERY, Cause.RESTART_OVERDOSE))
LESS: Final = frozenset((Cause.AIR_IN_LINE, Cause.OCCLUSION, Cause.STARVATION, Cause.UNDER_DELIVERY))
"""Faults in which the pump moves another volume than it counts. A standing motor is none: its counter stands, too."""


class Before:
    """What is known of the reservoir right before a fill or a statement, uL."""

    def __init__(self, state: PumpState) -> None:
        left = np.empty(2)
        reservoir.volume(state.x, left)
        self.volume_ul, self.sd_ul = float(left[0]), float(left[1])
        self.device_ul = float(state.x[s.RES_DEVICE_UL])
        self.offset_ul: float | None = None
        if state.x[s.RES_BLOCKS] >= MIN_BLOCKS:
            self.offset_ul = float(state.x[s.RES_O_UL])
        self.offset_sd_ul = math.sqrt(max(float(state.x[s.RES_OO]), 0.0))
        level_ul = float(state.x[s.RES_LEVEL_UL])
        self.level_ul = None if math.isnan(level_ul) else level_ul


def after_fill(
    state: PumpState, before: Before, event: ReservoirFilled, at_us: int
) -> tuple[Clinic, list[Condition]]:
    """Judge what was drawn out and what is said to have gone in; look at the level from here on."""
    x, clinic = state.x, state.clinic
    past = clinic.refill
    fill = Refill(
        filled_us=at_us,
        delivered_ul=float(ledger.total(x, s.DELIVERED_UL)),
        anchored_ul=float(x[s.RES_DEVICE_UL]),
        offset_ul=None if any(_disturbed(state)) else before.offset_ul,
        offset_sd_ul=before.offset_sd_ul,
        last_level_ul=before.level_ul,
        full_error_ul=None if past is None else past.full_error_ul,
        more=_goes_on(state, MORE),
        less=_goes_on(state, LESS),
    )
    fill_level.begin(x, float(at_us))
    restart.refilled(x)
    return replace(clinic, refill=fill), [_volumes(state, before, event, at_us)]


def disturbed_by(clinic: Clinic, condition: Condition) -> Clinic:
    """Note that what is counted since the last fill is not what was moved."""
    fill, cause = clinic.refill, condition.cause
    if fill is None or condition.level < 2 or cause not in MORE | LESS:
        return clinic
    fill = replace(fill, more=fill.more or cause in MORE, less=fill.less or cause in LESS)
    return replace(clinic, refill=fill)


def _goes_on(state: PumpState, causes: frozenset[Cause]) -> bool:
    known = (state.book.alerts.get(cause) for cause in causes)
    return any(alert is not None and alert.on and alert.said.level == 2 for alert in known)


def _disturbed(state: PumpState) -> tuple[bool, bool]:
    """Whether a stroke moved more, whether it moved less than it counts since the last fill."""
    fill = state.clinic.refill
    more, less = (False, False) if fill is None else (fill.more, fill.less)
    return more or _goes_on(state, MORE), less or _goes_on(state, LESS)


def _volumes(state: PumpState, before: Before, event: ReservoirFilled, at_us: int) -> Condition:
    full_ul = float(state.x[s.RESERVOIR_ML]) * 1000.0
    scale_ul = full_ul if full_ul > 0.0 else (event.filled_ml or 0.0) * 1000.0
    if event.filled_ml is not None and event.filled_ml * 1000.0 - full_ul > LIMIT * full_ul:
        return _mismatch(
            at_us,
            f"{event.filled_ml:.6g} mL are said to be in a reservoir of {full_ul / 1000.0:.6g} mL",
            filled_ul=event.filled_ml * 1000.0,
            reservoir_ul=full_ul,
        )
    if event.removed_ml is None or math.isnan(before.volume_ul) or not scale_ul > 0.0:
        return _fits(at_us)
    removed_ul = event.removed_ml * 1000.0
    expected_ul = max(before.volume_ul, 0.0)
    syringe_ul = reservoir.SYRINGE_SD * scale_ul
    sd_ul = math.hypot(before.sd_ul, syringe_ul)
    if not _off(removed_ul - expected_ul, scale_ul, sd_ul) or _explained(
        state, before, removed_ul, syringe_ul
    ):
        return _fits(at_us)
    return _mismatch(
        at_us,
        f"{removed_ul / 1000.0:.2f} mL were drawn out where about {expected_ul / 1000.0:.2f} mL were expected",
        removed_ul=removed_ul,
        expected_ul=expected_ul,
        sd_ul=sd_ul,
    )


def _explained(state: PumpState, before: Before, removed_ul: float, syringe_ul: float) -> bool:
    """Whether what was drawn out is what an in-tolerance pump leaves: then it is the level's word that was wrong.

    Less, or more, where the strokes moved more, or less, than they counted.
    """
    past, (more, less) = state.clinic.refill, _disturbed(state)
    if past is None or math.isnan(before.device_ul) or math.isnan(past.anchored_ul):
        return more or less
    stroke_ul = float(state.x[s.FLOW_TOLERANCE]) * (past.anchored_ul - before.device_ul)
    away_ul = removed_ul - max(before.device_ul, 0.0)
    margin_ul = math.hypot(stroke_ul, Z95 * syringe_ul)
    return (more or away_ul >= -margin_ul) and (less or away_ul <= margin_ul)


def after_level(state: PumpState, at_us: int) -> tuple[Clinic, list[Condition]]:
    """Judge the level in the first hour after a fill; a sensor that has stood still since before it says nothing."""
    x, fill = state.x, state.clinic.refill
    error_ul, full_ul = float(x[s.FILL_ERROR_UL]), float(x[s.RESERVOIR_ML]) * 1000.0
    if fill is None or math.isnan(error_ul) or x[s.RES_LEVEL_UL] == fill.last_level_ul:
        return state.clinic, []
    clinic = replace(state.clinic, refill=replace(fill, full_error_ul=error_ul))
    if float(ledger.total(x, s.DELIVERED_UL)) - fill.delivered_ul > fill_level.SOON * full_ul:
        return state.clinic, []  # by all ledgers: the level speaks of what was delivered
    usual = [offset for offset in (fill.offset_ul, fill.full_error_ul) if offset is not None]
    # A sensor of which nothing is known yet may be off by its prior.
    sd_ul = fill.offset_sd_ul if fill.offset_ul is not None else OFFSET_SD * full_ul
    sd_ul = math.hypot(sd_ul, reservoir.SYRINGE_SD * full_ul)
    if not all(_off(error_ul - offset, full_ul, sd_ul) for offset in usual or [0.0]):
        return clinic, []
    away_ul = min((error_ul - offset for offset in usual or [0.0]), key=abs)
    clinic = replace(clinic, refill=replace(fill, full_error_ul=fill.full_error_ul))
    told = _mismatch(
        at_us,
        f"the level after the refill is {abs(away_ul) / 1000.0:.2f} mL {'below' if away_ul < 0.0 else 'above'} what was filled",
        level_error_ul=away_ul,
        sd_ul=sd_ul,
        filled_us=fill.filled_us,
    )
    return clinic, [told]


def anchored(state: PumpState) -> Clinic:
    """Note that the device's arithmetic has begun anew with a stated volume."""
    clinic = state.clinic
    if clinic.refill is None:
        return clinic
    return replace(clinic, refill=replace(clinic.refill, anchored_ul=float(state.x[s.RES_DEVICE_UL])))


def after_statement(state: PumpState, before: Before, event: VolumeReported, at_us: int) -> list[Condition]:
    """Hold a volume stated soon after a fill against that fill; later ones start the estimate anew."""
    if event.ledger != "reservoir":
        return []
    x, fill = state.x, state.clinic.refill
    full_ul = float(x[s.RESERVOIR_ML]) * 1000.0
    if fill is None or math.isnan(before.volume_ul) or not full_ul > 0.0:
        return []
    if float(ledger.total(x, s.DELIVERED_UL)) - fill.delivered_ul > fill_level.SOON * full_ul:
        return []
    off_ul = event.value_ul - before.volume_ul
    if not _off(off_ul, full_ul, math.hypot(before.sd_ul, reservoir.STATED_SD * full_ul)):
        return []
    told = _mismatch(
        at_us,
        f"{event.value_ul / 1000.0:.2f} mL are stated where {before.volume_ul / 1000.0:.2f} mL were expected after the refill",
        stated_ul=event.value_ul,
        expected_ul=before.volume_ul,
        filled_us=fill.filled_us,
    )
    return [told]


def _off(away_ul: float, full_ul: float, sd_ul: float) -> bool:
    return abs(away_ul) > LIMIT * full_ul and abs(away_ul) > Z * sd_ul


def _fits(at_us: int) -> Condition:
    return Condition(cause=Cause.REFILL_MISMATCH, at_us=at_us, level=0)


def _mismatch(at_us: int, what: str, **evidence: float) -> Condition:
    return Condition(
        cause=Cause.REFILL_MISMATCH,
        at_us=at_us,
        level=2,
        text=f"The refill does not add up: {what}. Was the drug put beside the port, or is a volume wrong?",
        evidence=evidence,
    )
