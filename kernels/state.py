"""The columns of a pump's numeric state: one float64 vector, with units, shared by every kernel.

Times in it are microseconds since the epoch, which float64 holds exactly until the year 2255. NaN = unknown. Each kernel
owns one block and a function `reset(x)` that prepares it; `kernels.step.fresh()` makes a whole new vector. A change of
meaning or place changes VERSION, and stored states of other versions are folded anew from the log.
"""

from __future__ import annotations

from typing import Final

SIZE: Final = 512  # 4 kB, the most that a pump may take
VERSION: Final = 4

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
SENSING_ROWS: Final = 18  # 1, rows with a counter or a measured flow folded so far
PRIMED_UL: Final = 19  # uL primed since the sensors last counted
MOVING_SENSED_UL: Final = 20  # uL, RES_E_SENSED_UL as it was at the last movement of the counter
MOVING_PROGRAMMED_UL: Final = 21  # uL, RES_E_PROGRAMMED_UL then; NaN before the first movement

# --- DOSE 32..95: what was delivered (kernels/ledger.py). A ledger is two slots: sum and Neumaier compensation
PROGRAMMED_UL: Final = 32  # uL, by what the events say, boluses included, priming not
PROGRAMMED_UG: Final = 34  # ug
SENSED_UL: Final = 36  # uL, by counter, by measured flow where there is none
SENSED_UG: Final = 38  # ug
TIP_UG: Final = 40  # ug that left the catheter tip
BOLUS_UL: Final = 42  # uL, part of programmed
PRIMING_UL: Final = 44  # uL, not to the patient
DELIVERED_UL: Final = 46  # uL, best estimate
COVERED_US: Final = 48  # us with telemetry
SENSED_KNOWN: Final = 50  # 0 nothing measured at this row, 1 by flow, 2 by the counter's difference
COVER_US: Final = 51  # us, time up to which coverage is accounted; NaN before the first row
DOSE_SOURCES: Final = 52  # three sources of SOURCE_SIZE slots each; the offsets below are inside one
SOURCES: Final = 3  # device, clinic, system
SOURCE_SIZE: Final = 12
COUNT_UL: Final = 0  # uL, last accepted counter reading; NaN before the first
COUNT_US: Final = 1  # us, its time
FLOW_COUNTED_UL: Final = 2  # uL counted by flow since then, to be taken off the next difference
FALLEN_UL: Final = 3  # uL, the value that the counter fell to without a reason; NaN = it did not
FELL_US: Final = 4  # us, when it fell
HELD_FLOW_UL_H: Final = 5  # uL/h, last flow reading; NaN before the first
HELD_FLOW_US: Final = 6  # us, its time
ROW_US: Final = 7  # us, last row; NaN before the first
PERIOD_US: Final = 8  # us, usual sampling period; NaN before the second row
INTERVAL_US: Final = 9  # us, last three row intervals above 0, newest first
PLUGS: Final = 88  # fluid in the dead volume, the plug at the tip first: (uL, ug/mL) each, 0 uL = no plug
MAX_PLUGS: Final = 4

# --- RESERVOIR 96..127: what is left and how much a counted microlitre really is (kernels/reservoir.py)
RES_V_UL: Final = 96  # uL left, mean; NaN before the first fill
RES_K: Final = 97  # 1, truly delivered / counted, mean
RES_O_UL: Final = 98  # uL, offset of the level sensor, mean
RES_VV: Final = 99  # uL^2, variance of V
RES_VK: Final = 100  # uL, covariance of V and k
RES_VO: Final = 101  # uL^2, covariance of V and offset
RES_KK: Final = 102  # 1, variance of k
RES_KO: Final = 103  # uL, covariance of k and offset
RES_OO: Final = 104  # uL^2, variance of the offset
RES_E_SENSED_UL: Final = 105  # uL sensed, with bounded memory
RES_E_PROGRAMMED_UL: Final = 106  # uL programmed over the same time, with the same memory
RES_PENDING_UL: Final = 107  # uL programmed since the counter was last read
RES_DEBT_UL: Final = 108  # uL said to be delivered that the counter did not confirm later
RES_DEVICE_UL: Final = 109  # uL left by the device's own programmed-rate arithmetic
RES_SOURCE: Final = 110  # what counts: 0 program, 1 measured flow, 2 encoder counter
RES_BLOCK_N: Final = 111  # 1, level readings in the open block
RES_BLOCK_Z_UL: Final = 112  # uL, their sum
RES_BLOCK_U_UL: Final = 113  # uL, sum over them of the volume counted since each
RES_BLOCK_SPAN_UL: Final = 114  # uL counted since the block's first reading
RES_LEVEL_UL: Final = 115  # uL, last level reading
RES_SAME_UL: Final = 116  # uL counted while the reading stood still
RES_QUANTUM_UL: Final = 117  # uL, smallest change of the reading ever seen
RES_SAME: Final = 118  # 0-1, recent share of readings equal to the one before
RES_D1: Final = 119  # uL^2, mean squared difference of neighbouring blocks
RES_D2: Final = 120  # uL^2, the same of blocks two apart
RES_LAG1_UL: Final = 121  # uL, last block's mean, carried to now
RES_LAG2_UL: Final = 122  # uL, the one before, carried to now
RES_BLOCKS: Final = 123  # 1, block differences learned from
RES_FILL_Z: Final = 124  # 1, innovation of what was drawn out at the last fill, in sds; NaN = unknown
RES_SURPRISE: Final = 125  # 1, forgetting sum of level innovations in sds
RES_FLOW_UL: Final = 126  # uL by measured flow beside a counter, with bounded memory
RES_FLOW_COUNTED_UL: Final = 127  # uL counted over the same time, with the same memory
# The block 96..127 is full; 240..255 carry on.
RES_BLOCK_SCALE: Final = 240  # 1, length of a level block against the shortest
RES_RUN_UL: Final = 241  # uL counted since the last level block was closed
RES_WIDE_N: Final = 242  # 1, level blocks in the open wide block
RES_WIDE_Z_UL: Final = 243  # uL, their sum, carried to the last block's end
RES_WIDE_UL: Final = 244  # uL counted in the open wide block
RES_WIDE1_UL: Final = 245  # uL, last wide block's mean, carried to the last block's end
RES_WIDE2_UL: Final = 246  # uL, the one before
RES_BLOCK_US: Final = 247  # us, when the last level block was closed; NaN = unknown
RES_WIDES: Final = 248  # 1, second differences learned from
RES_WANDER: Final = 249  # uL^2, mean squared bend of wide blocks, less what their noise explains
RES_SHIFT_V: Final = 250  # uL, error of V if k had grown by 1 when the test began
RES_SHIFT_K: Final = 251  # 1, error of k in that case
RES_SHIFT_O: Final = 252  # uL, error of the offset in that case
RES_SHIFT_SCORE: Final = 253  # 1, evidence for growth of k since then
RES_SHIFT_INFO: Final = 254  # 1, Fisher information on it
RES_SHIFT_UL: Final = 255  # uL counted since the test began


# --- OCCLUSION 128..207: the healthy envelope of the outlet pressure, and the excursion out of it (kernels/occlusion.py)
OCC_LEVEL: Final = 128  # 0 normal, 1 pending, 2 active
OCC_READY: Final = 129  # 0/1, the envelope is learned well enough to judge
OCC_ONSET_US: Final = 130  # us, estimated onset of the present excursion; NaN = none
OCC_SLOPE_KPA_H: Final = 131  # kPa/h over the present excursion; NaN = none
OCC_BASE_KPA: Final = 132  # kPa, healthy centre
OCC_SCORE: Final = (
    133  # 1, (pressure without its two largest jumps - top) / (threshold - top); alarm from 0.5
)
OCC_LIMIT_US: Final = 134  # us, when the pressure reaches the registered limit at this slope; NaN = unknown
OCC_COMPLIANCE_UL_KPA: Final = 135  # uL/kPa, flow / slope of the present excursion; NaN = unknown
OCC_TOP_KPA: Final = 136  # kPa, top of the healthy envelope (second largest period maximum)
OCC_THRESHOLD_KPA: Final = 137  # kPa, exceeded by chance in a healthy period with probability EXCEED
OCC_LAST_US: Final = 138  # us, last row with a pressure
OCC_LAST_KPA: Final = 139  # kPa, its pressure
OCC_LAST_LOW_KPA: Final = 140  # kPa, smaller of the last two pressures, inlet excess taken off
OCC_QUANTUM_KPA: Final = 141  # kPa, smallest change ever seen; inf = none yet
OCC_SAME: Final = 142  # rows in which the pressure has not changed at all
OCC_SAME_HABIT: Final = 143  # rows, longest such run that was healthy
OCC_PERIOD_US: Final = 144  # us, typical time between rows
OCC_PART_ROWS: Final = 145  # rows a period
OCC_PART_N: Final = 146  # rows in the open period
OCC_PART_MAX_KPA: Final = 147  # kPa, its largest pressure
OCC_PART_SUM_KPA: Final = 148  # kPa, its sum
OCC_PART_ROUGH_KPA2: Final = 149  # kPa^2, its sum of squared changes
OCC_PART_FLOW_UL_H: Final = 150  # uL/h, its largest flow (smaller of two rows)
OCC_PART_INLET_KPA: Final = 151  # kPa, its largest inlet pressure
OCC_RING_N: Final = 152  # periods kept
OCC_ROUGH_REF_KPA2: Final = 153  # kPa^2, healthy mean squared change from row to row
OCC_ROUGH_KPA2: Final = 154  # kPa^2, the same over the last 16 rows
OCC_FLOW_TOP_UL_H: Final = 155  # uL/h, largest flow that the envelope has seen
OCC_FLOW_LAST_UL_H: Final = 156  # uL/h, flow of the last row
OCC_ALLOW_KPA: Final = 157  # kPa, added to the envelope for a flow it has not seen
OCC_INLET_TOP_KPA: Final = 158  # kPa, top of the healthy inlet pressure
OCC_SENSED_MEAN: Final = (
    159  # 1 or uL/h, healthy mean of sensed / programmed (sensed where nothing is programmed)
)
OCC_SENSED_DEV: Final = 160  # same, its mean absolute deviation
OCC_SENSED_NOW: Final = 161  # same, over the last 4 rows
OCC_PROGRAMMED: Final = 162  # 0/1, a program has asked for flow before
OCC_HOLD: Final = 163  # rows for which a change of level has been due
OCC_PEAK_KPA: Final = 164  # kPa over the baseline, largest since the onset
OCC_OUT_ROWS: Final = 165  # rows of the present excursion; 0 = none
OCC_OUT_BELOW: Final = 166  # rows in a row back inside the envelope
OCC_OUT_STRIDE: Final = 167  # rows an entry of the excursion's profile
OCC_OUT_FILL: Final = 168  # rows in the open entry
OCC_OUT_SUM_KPA: Final = 169  # kPa, sum of the open entry
OCC_OUT_N: Final = 170  # closed entries
OCC_OUT_US: Final = 171  # us, start of the excursion
OCC_OUT: Final = 172  # kPa, 11 slots: the pressure before the excursion, then the closed entries
OCC_PART_MIN_KPA: Final = 183  # kPa, smallest pressure of the open period
OCC_RING_MAX: Final = 184  # kPa, 12 slots: largest pressure of each period
OCC_RING_MEAN: Final = 196  # kPa, 12 slots: mean pressure of each period

# --- DRIVE 208..239: what each channel says of the motor, and how long it usually stands between movements
# (kernels/drive.py); a track is 6 slots: uL programmed, rows and us since the last movement, the usual largest uL and
# us between movements, movements seen
DRV_LEVEL: Final = 208  # 0 normal, 1 pending, 2 active
DRV_ONSET_US: Final = 209  # us, last movement before the stall; NaN = none
DRV_SCORE: Final = 210  # 1, programmed volume since the last movement / usual largest; NaN = unknown
DRV_COUNTER: Final = 211  # 6 slots: track of the cumulative counter
DRV_FLOW: Final = 217  # 6 slots: track of the measured flow
DRV_CURRENT: Final = 223  # 6 slots: track of the motor current
DRV_LAST_US: Final = 229  # us, last row
DRV_ANCHOR_UL: Final = 230  # uL, counter at its last movement
DRV_QUANTUM_UL: Final = 231  # uL, smallest movement seen; inf = none yet
DRV_FLOW_NOW: Final = 232  # 1, measured / programmed flow over the last 4 rows
DRV_FLOW_MEAN: Final = 233  # 1, healthy mean of it; NaN = not known
DRV_MA_NOW: Final = 234  # mA, current over the last 4 rows
DRV_MA_MEAN: Final = 235  # mA, healthy mean while flow is programmed
DRV_MA_DEV: Final = 236  # mA, its mean absolute deviation
DRV_MA_OFF: Final = 237  # mA, mean while no flow is programmed; NaN = never seen
DRV_MOVES: Final = 238  # movements in a row since the stall
DRV_STATED: Final = 239  # rows in a row in which the device states a stall

# --- LEAK 256..287 (kernels/leak.py), STARVATION 288..319 (kernels/starvation.py), AIR 320..351 (kernels/air.py), WEAR 352..383
# (kernels/wear.py), LEVEL OF DRUG 384..415 (kernels/fluid.py), CHANNELS 416..463 (kernels/channels.py), HEALTH 464..511
