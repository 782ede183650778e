"""The columns of a pump's numeric state: one float64 vector, with units, shared by every kernel.

Times in it are microseconds since the epoch, which float64 holds exactly until the year 2255. NaN = unknown. Each kernel
owns one block and a function `reset(x)` that prepares it; `kernels.step.fresh()` makes a whole new vector. A change of
meaning or place changes VERSION, and stored states of other versions are folded anew from the log.
"""

from __future__ import annotations

from typing import Final

SIZE: Final = 256
VERSION: Final = 1

# --- COMMON 0..31: what registration and the clinic said, and where the vector stands
T_US: Final = 0  # us, time of the last item
RESERVOIR_ML: Final = 1  # mL, nominal volume
LOW_RESERVOIR_ML: Final = 2  # mL, the device's own alarm level
DEAD_VOLUME_UL: Final = 3  # uL, pump tubing and catheter
MIN_RATE_UL_H: Final = 4  # uL/h
MAX_RATE_UL_H: Final = 5  # uL/h
FLOW_TOLERANCE: Final = 6  # 1, 0.145 = +/-14.5 %
ENCODER_UL_PER_COUNT: Final = 7  # uL
ENCODER_WRAP_UL: Final = 8  # uL, where the counter goes back to 0
COMPLIANCE_UL_PER_KPA: Final = 9  # uL/kPa
PRESSURE_LIMIT_KPA: Final = 10  # kPa, gauge
CONCENTRATION_UG_ML: Final = 11  # ug/mL in the reservoir; NaN before the first fill
SUSPENDED: Final = 12  # 0/1
OCCLUSION_LEVEL: Final = 13  # 0 normal, 1 pending, 2 active: as last signalled
STALL_LEVEL: Final = 14  # the same for the motor
ROWS: Final = 15  # 1, telemetry rows folded so far
EXPECTED_UL: Final = 16  # uL programmed since the last row, for the stall detector
LAST_ROW_US: Final = 17  # us, time of the last telemetry row; NaN before the first
