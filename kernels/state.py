"""The columns of a pump's numeric state: one float64 vector, with units, shared by every kernel.

Times in it are microseconds since the epoch, which float64 holds exactly until the year 2255. NaN = unknown. Each kernel
owns one block and a function `reset(x)` that prepares it; `kernels.step.fresh()` makes a whole new vector. A change of
meaning or place changes VERSION, and stored states of other versions are folded anew from the log.
"""

from __future__ import annotations

from typing import Final

SIZE: Final = 512  # 4 kB, the most that a pump may take
VERSION: Final = 8

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
RST_SINCE_US: Final = 22  # us, restart after a day or more that is watched (kernels/restart.py); NaN = none
RST_LEVEL: Final = 23  # who sees flow above tolerance: 0 nobody, 1 counter, 2 flow sensor, 3 level
RST_SENSED_UL: Final = 24  # uL counted beyond the tolerance; towards its end while the level is 1
RST_FLOW_UL: Final = 25  # uL, the same by measured flow
RST_PENDING_UL: Final = 26  # uL programmed since the counter was last read
RST_FLOW_HABIT: Final = (
    27  # 1, what the flow sensor showed of the counted (or programmed) flow before, 1 or more
)
RST_SLACK_UL: Final = 28  # uL beyond the tolerance that say nothing yet
FILL_US: Final = 29  # us, fill whose level is not judged yet (kernels/fill_level.py); NaN = none
FILL_ROWS: Final = 30  # 1, level readings since then
FILL_ERROR_UL: Final = (
    31  # uL, reading less estimate, of those readings the one nearest to the sensor's usual offset
)

# --- DOSE 32..95: what was delivered (kernels/ledger.py). A ledger is two slots: sum and Neumaier compensation
PROGRAMMED_UL: Final = 32  # uL, by what the events say, boluses included, priming not
PROGRAMMED_UG: Final = 34  # ug
SENSED_UL: Final = 36  # uL, by counter, by measured flow where there is none
SENSED_UG: Final = 38  # ug
TIP_UG: Final = 40  # ug that left the catheter tip
BOLUS_UL: Final = 42  # uL, part of programmed
PRIMING_UL: Final = 44  # uL, not to the patient
DELIVERED_UL: Final = 46  # uL, best estimate
COVERED_US: Final = 48  # us with telemetry, a plain sum
STV_INLET_NOW_KPA: Final = 49  # kPa, of STARVATION: inlet, mean of the last rows; NaN = none yet
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
RES_TREND: Final = 124  # 1, how much steeper than thought the level falls, mean of the last blocks
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
OCC_STEP_KPA: Final = 134  # kPa, last change from row to row
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
OCC_PART_ROUGH_KPA2: Final = 149  # kPa^2, its sum of OCC_ROUGH_KPA2
OCC_PART_FLOW_UL_H: Final = 150  # uL/h, its largest flow (smaller of two rows)
OCC_PART_INLET_KPA: Final = 151  # kPa, its largest inlet pressure
OCC_RING_N: Final = 152  # periods kept
OCC_ROUGH_REF_KPA2: Final = 153  # kPa^2, healthy mean of OCC_ROUGH_KPA2
OCC_ROUGH_KPA2: Final = (
    154  # kPa^2, squared change of the change from row to row, over the last 8 rows, corners cut off
)
OCC_FLOW_TOP_UL_H: Final = 155  # uL/h, flow that the envelope's top belongs to
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

# --- How low a channel goes while all is well (kernels/lows.py): offsets 0..21 inside a block of its own, LEAK or STARVATION
LOW_LEVEL: Final = 0  # 0 normal, 1 pending, 2 active
LOW_ONSET_US: Final = 1  # us, when the first block below the limit began; NaN = none
LOW_BOTTOM: Final = (
    2  # kPa, healthy bottom: lowest (from four days on second lowest) daily minimum of the block means
)
LOW_LIMIT: Final = 3  # kPa, below it a block mean is out of habit; NaN = not learned
LOW_BASE: Final = 4  # kPa, healthy mean of the block means
LOW_ROWS: Final = 5  # rows a block
LOW_N: Final = 6  # rows in the open block
LOW_SUM: Final = 7  # kPa, their sum; NaN = no reading yet
LOW_OPEN_US: Final = 8  # us, end of the block before
LOW_SPAN_US: Final = 9  # us, usual length of a block
LOW_LAST: Final = 10  # kPa, mean of the last block
LOW_DAY_N: Final = 11  # healthy blocks in the open day
LOW_DAY_MIN: Final = 12  # kPa, their smallest mean
LOW_FLOW: Final = 13  # sum over the open block: flow, uL/h (LEAK); programmed volume, uL (STARVATION)
LOW_OUT_N: Final = 14  # blocks of the present excursion; 0 = none
LOW_DAYS: Final = 15  # days in the ring
LOW_RING: Final = 16  # kPa, 6 slots: smallest block mean of each day
# The same six of STARVATION while no day is known (kernels/suction.py)
YNG_LOWEST: Final = 0  # kPa, lowest mean of some rows that was learned
YNG_HIGHEST: Final = 1  # kPa, the highest
YNG_ROWS: Final = 2  # rows since the last look
YNG_LOOKS: Final = 3  # looks learned from
YNG_OUT: Final = 4  # looks in a row with the inlet fallen and the flow short; below 0: fallen alone
YNG_ONSET_US: Final = 5  # us, the first of them

# --- LEAK 256..287: the outlet pressure below its healthy bottom (kernels/leak.py); 256..277 are a LOW block
LEAK: Final = 256
LEAK_DAY_UP_KPA: Final = 278  # kPa, largest rise of block means over the smallest before, in the open day
LEAK_UP_KPA: Final = 279  # kPa, the same on the quietest of the recent healthy days; NaN = not known
FILL_OFFSET_UL: Final = (
    280  # uL, carries on FILL_US .. FILL_ERROR_UL: the level sensor's offset before the fill
)
FILL_V_UL: Final = 281  # uL, estimate right after the fill
OCC_FLOW_NEXT_UL_H: Final = 282  # uL/h, carries on OCCLUSION: largest flow of the last closed period
LEAK_OUT_MIN_KPA: Final = 283  # kPa, smallest block mean of the excursion
LEAK_OUT_UP_KPA: Final = 284  # kPa, largest rise over the smallest before within it
LEAK_OUT_SCORE: Final = 285  # 1, log likelihood ratio of its block means: nothing moves them against as ever
LEAK_FLOW_LOW_UL_H: Final = 286  # uL/h, lowest flow of a block that the bottom has seen
LEAK_FAR_ROWS: Final = 287  # rows in a row far below the bottom, near the zero of the gauge

# --- STARVATION 288..319: suction at the inlet, and what then falls short (kernels/starvation.py); 288..309 are a LOW block
STARVATION: Final = 288
STV_SHARE_SUM: Final = 310  # 1, sum of measured / programmed flow over the open block; NaN = no reading
STV_SHARE: Final = 311  # 1, healthy mean of it; NaN = not known
STV_SHARE_DEV: Final = 312  # 1, its mean absolute deviation
STV_MA: Final = 313  # mA, healthy mean motor current at the ends of blocks; NaN = not known
STV_LEVEL_SUM_UL: Final = 314  # uL, sum of the level's readings in the open block
STV_LEVEL_N: Final = 315  # readings in it
STV_LEVEL_UL: Final = 316  # uL, mean of the last block with readings; NaN = none
STV_LEVEL_UL2: Final = (
    317  # uL^2, healthy mean square of (volume programmed - fall of the level) a block; NaN = not known
)
STV_SHORT_UL: Final = (
    318  # uL, programmed since the onset and not missing from the reservoir; NaN = not known
)
STV_ASKED_UL: Final = 319  # uL, programmed since the onset, where the level was read

# --- AIR 320..357: habits of flow, current, vibration and pulsation, to tell gas in the pump (kernels/air.py)
AIR_LEVEL: Final = 320  # 0 normal, 1 pending, 2 active
AIR_ONSET_US: Final = 321  # us, when the evidence began; NaN = none
AIR_SCORE: Final = 322  # 1, second largest evidence / threshold; alarm from 1
AIR_ROWS: Final = 323  # rows since the last judgement
AIR_HOLD: Final = 324  # judgements for which a change of level has been due
AIR_JUDGED: Final = 325  # judgements learned from
AIR_TOP: Final = 326  # sds, largest healthy evidence of two judgements in a row, fading
AIR_LAST_EVIDENCE: Final = 327  # sds, evidence at the last judgement
AIR_JUDGED_US: Final = 328  # us, last judgement
AIR_ASIDE: Final = 329  # rows in a row in which nothing moved; below 0: with a flow far from habit (a bolus)
AIR_RECORD: Final = 330  # sds, largest such evidence of the present episode
AIR_LAST: Final = 331  # 4 slots: last flow share (1), current (mA), vibration (g), pressure (kPa)
AIR_ROUGH: Final = 335  # 4 slots, same units: change from reading to reading over the last rows
AIR_ROUGH_HABIT: Final = 339  # 4 slots, same units: the usual one
AIR_FLOW_NOW: Final = 343  # 1, measured / programmed flow over the last rows
AIR_MA_NOW: Final = 344  # mA, the same for the current
AIR_VIBRATION_NOW: Final = 345  # g, the same for the vibration
AIR_Q_NOW: Final = 346  # 1, programmed flow over the last rows / AIR_Q_REF
AIR_Q_MEAN: Final = 347  # 1, its usual value
AIR_Q_VAR: Final = 348  # 1, its variance
AIR_FLOW_MEAN: Final = 349  # 1, usual measured / programmed flow
AIR_FLOW_DEV: Final = 350  # 1, its mean absolute deviation
AIR_MA: Final = 351  # 3 slots, mA: usual current, covariance with the programmed flow, mean absolute deviation from the line
AIR_VIBRATION: Final = 354  # 3 slots, g: the same for the vibration
AIR_Q_REF: Final = 357  # uL/h, first programmed flow: the unit of the slots above; NaN = none yet

# --- WEAR 358..383: what a day's current and vibration have risen by (kernels/wear.py)
WEAR_LEVEL: Final = 358  # 0 normal, 1 pending, 2 active
WEAR_ONSET_US: Final = 359  # us, when the rise began; NaN = none
WEAR_SCORE: Final = 360  # 1, rise / threshold; alarm from 1
WEAR_DAYS: Final = 361  # days learned from
WEAR_TRACKS: Final = 362  # 3 tracks of 5 slots: motor_ma, vibration_g, vibration2_g
WEAR_TRACK_SIZE: Final = 5
WEAR_LAST: Final = 0  # mA or g, last day's mean; NaN = none
WEAR_AWAY: Final = 1  # 1, logarithm of the level over its slow mean
WEAR_VAR1: Final = 2  # 1, mean squared relative change from day to day
WEAR_VAR2: Final = 3  # 1, mean square of the distance from the slow mean
WEAR_RISE: Final = 4  # 1, sum of relative rises
WEAR_START_KPA: Final = 377  # kPa, day's pressure when the rise of the current began
WEAR_LAST_KPA: Final = 378  # kPa, last day's
WEAR_DEV_KPA: Final = 379  # kPa, mean absolute change of it from day to day
WEAR_START_C: Final = 380  # deg C, day's temperature when the rise of the current began
WEAR_LAST_Q: Final = 381  # 1, last day's programmed flow / AIR_Q_REF
WEAR_SAMPLES: Final = 382  # usual samples a day
WEAR_NAMED: Final = 383  # 0/1, a named detector was on since the day began

# --- HEALTH 464..511: day means of all channels against the habit of day means (kernels/health.py)
HLT_LEVEL: Final = 464  # 0 normal, 1 pending, 2 active
HLT_DAYS: Final = 465  # days learned from
HLT_DAY_US: Final = 466  # us, when the open day began; NaN before the first row
HLT_Q_SUM: Final = 467  # 1, sum of programmed flow / AIR_Q_REF over the samples of the open day
HLT_SAMPLES: Final = 468  # samples of the open day
HLT_Q_LAST: Final = 469  # 1, last day's programmed flow / AIR_Q_REF
HLT_ON_DAYS: Final = 470  # days in a row that were out of habit
HLT_MOVED: Final = 471  # bits of the channels (below) that were out of habit on the last day judged, and above them the day before
HLT_SUM: Final = 472  # 10 slots: sums of the open day; HLT_CHANNELS gives order and units
HLT_COUNT: Final = 482  # 10 slots: readings in them
HLT_MEAN: Final = 492  # 10 slots: usual day mean; NaN = none
HLT_DEV: Final = 502  # 10 slots: mean absolute deviation of day means from it; NaN = unknown
HLT_CHANNELS: Final = (
    "flow_share",  # 1, measured / programmed
    "motor_ma",
    "vibration_g",
    "vibration2_g",
    "pressure_kpa",
    "inlet_kpa",
    "motor_v",
    "battery_v",
    "temperature_c",
    "fluid_c",
)

# --- CHANNELS 416..455: whether each channel still says something (kernels/channels.py)
CH_CLOCK_US: Final = 416  # us, time of rows so far
CH_LOST: Final = 417  # bits: what is null, and above it what is stuck
CH_RATE_UL_H: Final = 418  # uL/h, programmed after the last row; NaN = it changed
CH_LEVEL_AGE_US: Final = 419  # us, time for which the level was reported more than it was missing, up to 6 h
CH_LEVEL_RUN_UL: Final = 420  # uL programmed while the level stood still
CH_LEVEL_RUN_US: Final = 421  # us, the same in time of rows
CH_LEVEL_HABIT_UL: Final = 422  # uL, the longest such run while all was well
CH_COUNTER_AGE_US: Final = 423  # us, as of the level
CH_NOISY: Final = 424  # 5 channels of 6 slots: last reading and smallest step in its unit; last change, longest healthy run, age, last valid: us
CH_LEVEL_VALID_US: Final = 454  # us of CH_CLOCK_US, last reading of the level; NaN = never
CH_COUNTER_VALID_US: Final = 455  # the same for the counter

# Of LEAK: 456..463 (kernels/movement.py)
LEAK_MOVES_KPA: Final = (
    456  # kPa, 5 slots: usual change from block to block by fifths of the day; NaN = not known
)
LEAK_STILL_KPA: Final = 461  # kPa, pressure of the last row
LEAK_STILL_NOW_KPA: Final = 462  # kPa, mean change from row to row of the last blocks, or since a fall
LEAK_STILL_LEAST_KPA: Final = 463  # kPa, its smallest in health, rising slowly; NaN = not known

# 411..415 carry on RST_SINCE_US .. RST_SLACK_UL (kernels/restart.py)
RST_MEAN_UL: Final = 411  # uL, level reading, mean of the last ones; NaN = none since the last fill
RST_NOISE_UL2: Final = 412  # uL^2, mean square of a reading's distance from it
RST_REF_UL: Final = 413  # uL, that mean at the restart; NaN = the level is not watched
RST_ROW_UL: Final = 414  # uL, the most that was programmed in a row since then
RST_ASKED_UL: Final = 415  # uL programmed since then

# --- FLUID 384..410: drug level in the spinal fluid and what this patient is used to (kernels/fluid.py)
FLU_LEVEL_UG_H: Final = 384  # ug/h, 4 slots: level times clearance for half-lives of 0.9, 1.5, 3 and 6 h
FLU_OPEN_UG: Final = 388  # ug that left the tip in the open block
FLU_OPEN_US: Final = 389  # us, its start; NaN before the first item
FLU_RATE_UG_H: Final = 390  # ug/h, mean of the last closed block
FLU_DAY_US: Final = 391  # us, start of the open day; NaN before therapy
FLU_DAY_UG: Final = 392  # ug in it
FLU_DAY_LOW_UG_H: Final = 393  # ug/h, 2 slots: lowest level in it of the fastest and the slowest compartment
FLU_DAY_HIGH_UG_H: Final = 395  # ug/h, 2 slots: highest
FLU_TROUGH_UG_H: Final = 397  # ug/h, 2 slots: usual lowest level of a day
FLU_PEAK_UG_H: Final = 399  # ug/h, 2 slots: usual highest
FLU_HABIT_UG_H: Final = 401  # ug/h, usual mean dose
FLU_DAYS: Final = 402  # days closed until the habit was known (2), and odd days in a row since then
FLU_DAY_ODD: Final = 403  # 0/1, the open day teaches nothing
FLU_UNSEEN_UG: Final = (
    404  # ug assumed by the program while the motor stood: the ledgers take it off what is counted later
)
FLU_LOW_US: Final = 405  # us, since when the fastest compartment is low; NaN = it is not
FLU_OVER_US: Final = 406  # us, since when it is over; NaN = it is not
FLU_OVER_BOTH: Final = 407  # 0/1, so is the slowest
FLU_SAID: Final = 408  # status last said
FLU_BLOCKED_US: Final = (
    409  # us, since when nothing leaves the tip; NaN = it does; inf = only what sensors of the drive see
)
FLU_HIGH_RISK: Final = 410  # 0/1, registered: earlier withdrawal
