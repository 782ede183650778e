"""What is said of delivered / programmed: the ratio with its interval, and over- and under-delivery.

The ratio is the reservoir filter's (kernels.reservoir); where a measured flow alone counts, its noise is the pump's own (processors.flow_swings).
"""

from __future__ import annotations

import math

import numpy as np

from contract.facts import Cause, FlowRatio, Forecast
from kernels import dose, reservoir
from kernels import state as s
from kernels.stroke import FLOW_SOURCE, RATIO_MEMORY, RATIO_PRIOR, Z95
from processors import flow_swings, risk
from processors.alerts import Condition, is_on
from processors.pump_state import PumpState


def flow_ratio(state: PumpState) -> FlowRatio:
    """Delivered / programmed with its 95 % interval: the filter's, and the noise of a flow that alone counts."""
    x, ratio = state.x, np.empty(3)
    reservoir.ratio(x, ratio)
    mean, lo, hi = (float(number) for number in ratio)
    if x[s.RES_SOURCE] == FLOW_SOURCE:
        half = math.hypot(hi - mean, Z95 * flow_swings.sd(state.looks) * mean)
        lo, hi = max(mean - half, 0.0), mean + half
    return FlowRatio(mean=mean, lo=lo, hi=hi)


def surely_dry(state: PumpState, chance: float) -> bool:
    """Whether dry before the device's own alarm has that probability even by the least that a measured flow surely is."""
    if _begins(state):
        return False
    least = _sure(state)[0]
    if least == 1.0:
        return True
    x = state.x.copy()
    x[s.RES_E_SENSED_UL] *= least
    return bool(reservoir.probability_dry(x, float(reservoir.device_needed_ul(x))) >= chance)


def _sure(state: PumpState) -> tuple[float, float]:
    """What the ratio surely is at least and at most, as factors of it (processors.flow_swings).

    A flow sensor's noise lasts hours [P]: where a day's program is less than the ratio remembers, it is averaged out, and what
    is left, the calibration, is in the interval of 95 %. Such a pump has one look in a week or more.
    """
    daily_ul = float(dose.daily_ul(state.program.head, state.program.schedule)[0])
    if 0.0 < daily_ul <= RATIO_MEMORY * float(state.x[s.RESERVOIR_ML]) * 1000.0:
        return 1.0, 1.0
    return flow_swings.sure(state.looks, state.x)


def _begins(state: PumpState) -> bool:
    """Whether less was programmed beside the sensors than would outweigh ten times over what sensed / programmed began with."""
    prior_ul = RATIO_PRIOR * float(state.x[s.RESERVOIR_ML]) * 1000.0
    return 0.0 < float(state.x[s.RES_E_PROGRAMMED_UL]) < 10.0 * prior_ul


def outside(state: PumpState, forecast: Forecast) -> list[Condition]:
    """The 95 % interval of delivered / programmed lies outside the tolerance, and did not come there by a measured flow's swings.

    While the motor stands nothing new is said: what is not pumped meanwhile has its own alert, and none in a scanner's field.
    Nor before anything worth a ratio was programmed: what a flow sensor shows of a pump that has no program yet is its zero.
    """
    if state.x[s.STALL_LEVEL] or state.clinic.device_stall or _begins(state):
        return []
    tolerance, ratio = float(state.x[s.FLOW_TOLERANCE]), forecast.flow_ratio
    least, most = (factor * ratio.mean for factor in _sure(state))
    conditions = []
    for cause, beyond, sure, words in (
        (Cause.OVER_DELIVERY, ratio.lo > 1.0 + tolerance, least > 1.0 + tolerance, "more"),
        (Cause.UNDER_DELIVERY, ratio.hi < 1.0 - tolerance, most < 1.0 - tolerance, "less"),
    ):
        told = beyond and (sure or is_on(state.book, cause))
        text = (
            f"The pump delivers {abs(ratio.mean - 1) * 100:.3g} % {words} than programmed, outside its tolerance"
            f" of {tolerance * 100:.3g} %."
        )
        harm_lo_us, harm_hi_us = (
            risk.harm_of_rate(state, ratio.mean * risk.going_ug_h(state)) if told else (None, None)
        )
        conditions.append(
            Condition(
                cause=cause,
                at_us=forecast.at_us,
                level=2 if told else 0,
                harm_lo_us=harm_lo_us,
                harm_hi_us=harm_hi_us,
                text=text if told else "",
                evidence={"flow_ratio": ratio.mean, "flow_ratio_lo": ratio.lo, "flow_ratio_hi": ratio.hi}
                if told
                else {},
                received_us=state.received_us,
            )
        )
    return conditions
