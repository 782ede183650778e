"""What the sensors of one pump show: the plant seen through noise, drift, quanta, posture and breathing."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Final

import numpy as np

from contract.times import DAY_US, HOUR_US, MINUTE_US
from ingest.simulation.clock import stream
from ingest.simulation.designs import Design
from ingest.simulation.effects import Effects, factor, growth
from ingest.simulation.plant import Plant
from ingest.simulation.programs import Floats, Times

_NOISE_MEMORY_US: Final = 20 * MINUTE_US  # correlation time of the pressure noise
_DRIFT_MEMORY_US: Final = 15 * DAY_US  # of the level sensor's drift
_SLOW_PERIODS: Final = 0.2  # a line whose time constant is below this many periods follows at once
_BREATH_S: Final = 5.0  # a breath at rest
_POCKET_SHARE: Final = (
    0.3  # [P] of what moves in the body, breathing too: so much is felt in the pocket of a leak
)
_SUCTION_KPA: Final = -15.0  # inlet of a dry or starved pump
_DECIMALS: Final = {
    "delivered_ul": 4,
    "flow_ul_h": 4,
    "reservoir_ml": 4,
    "pressure_kpa": 3,
    "inlet_kpa": 3,
    "motor_ma": 3,
    "motor_v": 3,
    "vibration_g": 4,
    "vibration2_g": 4,
    "temperature_c": 2,
    "fluid_c": 2,
    "battery_v": 3,
}


class SensorBank:
    """Reads the columns of one pump row by row, in order; noise and line pressure carry over from call to call."""

    def __init__(
        self, design: Design, plant: Plant, effects: Effects, seed: int, pump_index: int, span: Times
    ) -> None:
        """`span`: int64[2], first and last time that may be asked for."""
        self._design, self._plant, self._effects = design, plant, effects
        self._rng = stream(seed, pump_index, "sensors")
        self._start_us = self._last_us = int(span[0])
        self._carried = {"pressure": 0.0, "drift": float(self._rng.normal(0.0, design.level_drift_ml))}
        self._line_kpa: float | None = None
        self._posture_us, self._posture = self._draw_posture(span)

    def _draw_posture(self, span: Times) -> tuple[Times, Floats]:
        """Draw the changes of posture: 0 lying, about 0.6 sitting, about 1 standing; nights are spent lying."""
        length_us = int(span[1] - span[0]) + 2 * DAY_US
        count = 60 + length_us // (35 * MINUTE_US)
        lasting = np.maximum(self._rng.exponential(45 * MINUTE_US, count), 8 * MINUTE_US)
        edges = int(span[0]) - DAY_US + np.cumsum(lasting).astype(np.int64)
        hour = ((edges + self._design.utc_offset_min * MINUTE_US) % DAY_US) / HOUR_US
        chosen = self._rng.choice([0.0, 0.6, 1.0], count, p=[0.2, 0.5, 0.3]) * self._rng.uniform(
            0.85, 1.15, count
        )
        awake = (hour > 7.0) & (hour < 22.0)
        return edges, np.where(awake, chosen, 0.0)

    def _correlated(self, name: str, noise: Floats, keep: float) -> Floats:
        """First-order noise: each number is the last one times `keep`, plus new noise."""
        series = list(
            accumulate(noise.tolist(), lambda last, new: last * keep + new, initial=self._carried[name])
        )
        self._carried[name] = series[-1]
        return np.array(series[1:])

    def read(self, rows_us: Times) -> dict[str, Floats]:
        """Columns float64[n] at the ascending row times, NaN where the device reports nothing."""
        before_us = np.concatenate(([self._last_us], rows_us[:-1]))
        self._last_us = int(rows_us[-1])
        hours = np.maximum(rows_us - before_us, 1) / HOUR_US
        drive_ul_h = (self._plant.motor_at(rows_us) - self._plant.motor_at(before_us)) / hours
        flow_ul_h = (self._plant.pumped_at(rows_us) - self._plant.pumped_at(before_us)) / hours
        pressure = self._pressure(rows_us, hours, flow_ul_h)
        readers = {
            "delivered_ul": lambda: self._counter(rows_us),
            "flow_ul_h": lambda: self._flow(rows_us, flow_ul_h),
            "reservoir_ml": lambda: self._level(rows_us, hours),
            "pressure_kpa": lambda: pressure,
            "inlet_kpa": lambda: self._inlet(rows_us, drive_ul_h),
            "motor_ma": lambda: self._current(rows_us, drive_ul_h, pressure),
            "motor_v": lambda: 3.0 + 0.01 * self._rng.normal(size=rows_us.size),
            "vibration_g": lambda: self._vibration(rows_us, drive_ul_h),
            "vibration2_g": lambda: self._vibration(rows_us, drive_ul_h) * 0.6,
            "temperature_c": lambda: (
                36.6 + 0.4 * self._day(rows_us) + 0.05 * self._rng.normal(size=rows_us.size)
            ),
            "fluid_c": lambda: 36.4 + 0.4 * self._day(rows_us) + 0.05 * self._rng.normal(size=rows_us.size),
            "battery_v": lambda: self._battery(rows_us),
            "stalled": lambda: self._stalled(rows_us),
        }
        columns = {name: self._round(name, readers[name]()) for name in self._design.channels}
        for span, name in zip(self._effects.blinds, self._effects.blind_channels, strict=True):
            if name in columns:
                columns[name] = np.where(span.covers(rows_us), np.nan, columns[name])
        return columns

    def _round(self, name: str, column: Floats) -> Floats:
        return column if name == "stalled" else np.round(column, _DECIMALS[name])

    def _day(self, rows_us: Times) -> Floats:
        """Give the rhythm of the day, -1 to 1, highest in the late afternoon of the pump's own clock."""
        local = (rows_us + self._design.utc_offset_min * MINUTE_US) % DAY_US
        return np.sin(2 * math.pi * (local / DAY_US - 0.45))

    def _pressure(self, rows_us: Times, hours: Floats, flow_ul_h: Floats) -> Floats:
        """Outlet pressure, kPa."""
        design, effects = self._design, self._effects
        posture = self._posture[np.searchsorted(self._posture_us, rows_us, side="right") - 1]
        body = design.body_kpa + design.posture_kpa * posture + 0.15 * design.body_kpa * self._day(rows_us)
        keep = math.exp(-float(np.median(hours)) * HOUR_US / _NOISE_MEMORY_US)
        spread = design.pressure_noise_kpa * math.sqrt(1 - keep**2)
        slow = self._correlated("pressure", self._rng.normal(0.0, spread, rows_us.size), keep)
        body = body + slow
        felt = np.ones(rows_us.shape)
        resistance = np.full(rows_us.shape, design.line_kpa_h_per_ul)
        for leak in effects.leaks:
            open_line = leak.covers(rows_us)
            felt = np.where(open_line, _POCKET_SHARE, felt)
            body = np.where(open_line, leak.pocket_kpa + _POCKET_SHARE * slow, body)
            resistance = np.where(open_line, leak.upstream * design.line_kpa_h_per_ul, resistance)
        for narrowing in effects.narrowings:
            resistance = np.maximum(resistance, narrowing.resistance(rows_us, design.line_kpa_h_per_ul))
        line = self._line(body, resistance, hours, flow_ul_h)
        # Breathing reaches the outlet only as far as the line's time constant lets it; the rest is the sensor's own.
        passed = 1.0 / (1.0 + resistance * design.compliance_ul_per_kpa * 3600.0 / _BREATH_S)
        breathing = design.pressure_noise_kpa * np.sin(self._rng.uniform(0.0, 2 * math.pi, rows_us.size))
        gas = np.where(factor(effects.air, rows_us) < 1.0, 2.0, 1.0)
        own = 0.2 * design.pressure_noise_kpa * self._rng.normal(size=rows_us.size)
        return line + gas * felt * passed * breathing + own

    def _line(self, body: Floats, resistance: Floats, hours: Floats, flow_ul_h: Floats) -> Floats:
        """Solve C dP/dt = flow - (P - body) / R over each row; at once where the line is open.

        Past `slip_kpa` the rollers slip and the pressure stays there, however quickly it would have gone on.
        """
        design = self._design
        settled = body + resistance * flow_ul_h
        pressure = np.minimum(settled, design.slip_kpa)
        constant_h = resistance * design.compliance_ul_per_kpa
        slow = constant_h > _SLOW_PERIODS * hours
        if not slow.any() and self._line_kpa is None:
            return pressure
        first = int(np.argmax(slow)) if self._line_kpa is None else 0
        line = float(pressure[max(first - 1, 0)]) if self._line_kpa is None else self._line_kpa
        decays = np.exp(-np.minimum(hours / constant_h, 700.0)).tolist()
        for row, towards in enumerate(settled[first:].tolist(), start=first):
            line = min(towards + (line - towards) * decays[row], design.slip_kpa)
            pressure[row] = line
        self._line_kpa = line if slow[-1] else None
        return pressure

    def _counter(self, rows_us: Times) -> Floats:
        quantum = self._design.encoder_ul_per_count
        turned = self._plant.motor_at(rows_us)
        for restart_us in self._effects.restarts_us:
            begun = float(self._plant.motor_at(np.array([restart_us], np.int64))[0])
            turned = np.where(rows_us >= restart_us, self._plant.motor_at(rows_us) - begun, turned)
        if quantum is None:
            return turned
        counted = np.floor(turned / quantum + 1e-9) * quantum
        wrap = self._design.encoder_wrap_ul
        return counted if wrap is None else np.mod(counted, wrap)

    def _flow(self, rows_us: Times, flow_ul_h: Floats) -> Floats:
        noise = 0.02 * np.where(factor(self._effects.air, rows_us) < 1.0, 8.0, 1.0)
        own = 0.002 * self._design.rate_ul_h * self._rng.normal(size=rows_us.size)
        return np.maximum(flow_ul_h * (1.0 + noise * self._rng.normal(size=rows_us.size)) + own, 0.0)

    def _level(self, rows_us: Times, hours: Floats) -> Floats:
        design = self._design
        keep = math.exp(-float(np.median(hours)) * HOUR_US / _DRIFT_MEMORY_US)
        spread = design.level_drift_ml * math.sqrt(1 - keep**2)
        drift = self._correlated("drift", self._rng.normal(0.0, spread, rows_us.size), keep)
        level = self._plant.reservoir_at(rows_us) / 1000 + drift
        level = level + self._rng.normal(0.0, design.level_noise_ml, rows_us.size)
        return np.maximum(np.round(level / design.level_quantum_ml) * design.level_quantum_ml, 0.0)

    def _inlet(self, rows_us: Times, drive_ul_h: Floats) -> Floats:
        starved = factor(self._effects.inlets, rows_us)
        dry = self._plant.reservoir_at(rows_us) <= 0.0
        suction = np.where(dry, 1.0, 1.0 - starved) * (drive_ul_h > 0.0)
        return (
            -0.5
            + 0.2 * self._day(rows_us)
            + _SUCTION_KPA * suction
            + 0.1 * self._rng.normal(size=rows_us.size)
        )

    def _current(self, rows_us: Times, drive_ul_h: Floats, pressure_kpa: Floats) -> Floats:
        """Idle tenth, plus a part with the flow, plus the work against pressure; a standing rotor draws its own."""
        design = self._design
        speed = drive_ul_h / design.rate_ul_h
        # Proportional near the set flow; a pump that primes a hundred times as fast does not draw a hundred times as much.
        load = speed * 1.1 / (1.0 + 0.1 * speed) * growth(self._effects.wear, rows_us)
        load = (
            load
            * (1.0 + 0.004 * (pressure_kpa - design.body_kpa))
            * np.sqrt(factor(self._effects.air, rows_us))
        )
        current = design.current_ma * (0.1 + 0.9 * load)
        for stop in self._effects.stops:
            current = np.where(stop.covers(rows_us), design.current_ma * stop.size, current)
        return np.maximum(current * (1.0 + 0.02 * self._rng.normal(size=rows_us.size)), 0.0)

    def _vibration(self, rows_us: Times, drive_ul_h: Floats) -> Floats:
        turning = np.where(drive_ul_h > 0.0, growth(self._effects.wear, rows_us), 0.1)
        gas = np.where(factor(self._effects.air, rows_us) < 1.0, 2.0, 1.0)
        return 0.05 * turning * gas * (1.0 + 0.1 * self._rng.normal(size=rows_us.size))

    def _battery(self, rows_us: Times) -> Floats:
        volts = 3.0 - 0.02 * ((rows_us - self._start_us) / (365 * DAY_US))
        for span in self._effects.batteries:
            volts = np.where(span.covers(rows_us), span.size, volts)
        return volts + 0.003 * self._rng.normal(size=rows_us.size)

    def _stalled(self, rows_us: Times) -> Floats:
        standing = np.zeros(rows_us.shape)
        for stop in self._effects.stops:
            standing = np.where(stop.covers(rows_us), 1.0, standing)
        return standing
