/* kernels/reservoir.py `advance` with kernels/level_sensor.py `level` and kernels/shift.py in C, operation by operation: the yardstick of
 * `make bench`. The meaning of everything is said there.
 *
 * Build: gcc -O3 -march=native -ffp-contract=off -shared -fPIC -o reservoir_twin.so reservoir_twin.c -lm
 * Contraction is off because numba's code has none: both must give the same bits.
 */
#include <math.h>
#include <stdint.h>

enum {
    T_US = 0, RESERVOIR_ML = 1, FLOW_TOLERANCE = 6,
    V = 96, K, O, VV, VK, VO, KK, KO, OO, E_SENSED, E_PROGRAMMED, PENDING, DEBT, DEVICE, SOURCE, BLOCK_N, BLOCK_Z, BLOCK_U,
    BLOCK_SPAN, LEVEL, SAME_UL, QUANTUM, SAME, D1, D2, LAG1, LAG2, BLOCKS, TREND, SURPRISE, FLOW_UL, FLOW_COUNTED,
    BLOCK_SCALE = 240, RUN, WIDE_N, WIDE_Z, WIDE_UL, WIDE1, WIDE2, BLOCK_US, WIDES, WANDER, SHIFT_V, SHIFT_K, SHIFT_O,
    SHIFT_SCORE, SHIFT_INFO, SHIFT_UL
};
static const double FLOW_SD = 0.03, Z95 = 1.959963984540054, WALK_SD = 0.005, RATIO_MEMORY = 0.05, RATIO_PRIOR = 0.001,
    FLOW_DOUBT = 1e-4, RATIO_MEMORY_ROWS = 1024.0, HUBER_Z = 2.5, OFFSET_SD = 0.05, BLOCKS_A_RESERVOIR = 512.0,
    MIN_BLOCKS = 8.0, NOISE_MEMORY = 128.0, RHO_MARGIN = 0.1, RHO_MAX = 0.6, CORRELATED = 1.3, MAX_BLOCK_SCALE = 4.0,
    TRUSTED_SD = 0.0165, CLEAR_Z = 4.0, COARSE = 0.3, GATE_Z = 5.0, JUMP_BLOCKS = 2.0, WIDES_A_RESERVOIR = 16.0,
    WIDE_MEMORY = 32.0, FIRST_WEIGHT = 2.0, BEND_CHANCE = 2.5, DRIFT_SD = 0.004, DRIFT_DAY_SD = 0.001, DAY_US = 86400e6, WALK_SHARE = 0.3, NOISE_FLOOR = 1e-6,
    EMPTY_Z = 2.0, STUCK_QUANTA = 3.0, CLIP_Z = 3.0, LIMIT_Z = 6.0, OLD_SHARE = 0.125, OLD_Z = 2.0, STEP_SD = 0.2,
    STEP_DOUBT = 0.5, TREND_MEMORY = 8.0, WALK_SHOWS = 1.5;

static inline double min2(double a, double b) { return b < a ? b : a; }
static inline double max2(double a, double b) { return b > a ? b : a; }

static inline double prior_var(const double *x) {
    if (x[SOURCE] == 1.0) return FLOW_SD * FLOW_SD;
    double tolerance = x[FLOW_TOLERANCE];
    if (!(tolerance > 0.0)) tolerance = 0.145;
    double sd = tolerance / Z95;
    return sd * sd;
}

static inline double joined_k(const double *x) {
    double k = x[K], kk = x[KK];
    if (isnan(x[SURPRISE]) && x[BLOCKS] > 0.0) { k = 1.0; kk = prior_var(x); }
    double counted_ul = x[FLOW_COUNTED];
    if (counted_ul > 0.0 && x[SOURCE] == 2.0) {
        double doubt = x[RESERVOIR_ML] * 1000.0 * FLOW_DOUBT / counted_ul, s = kk + FLOW_SD * FLOW_SD;
        if (doubt > 0.0) s += doubt * doubt;
        k += kk / s * (x[FLOW_UL] / counted_ul - k);
    }
    return k;
}

static void sense_ratio(double *x, double sensed_ul, double programmed_ul) {
    if (!(x[E_PROGRAMMED] > 0.0)) {
        double prior = x[RESERVOIR_ML] * 1000.0 * RATIO_PRIOR;
        if (prior > 0.0) x[E_SENSED] = x[E_PROGRAMMED] = prior;
        else if (!(programmed_ul > 0.0)) return;
    }
    double memory = x[RESERVOIR_ML] * 1000.0 * RATIO_MEMORY;
    double keep = memory > 0.0 ? exp(-programmed_ul / memory) : 1.0 - 1.0 / RATIO_MEMORY_ROWS;
    x[E_SENSED] = keep * x[E_SENSED] + sensed_ul;
    x[E_PROGRAMMED] = keep * x[E_PROGRAMMED] + programmed_ul;
}

static inline void set_prior(double *x) {
    double old = x[KK];
    if (x[K] != 1.0 || !(old > 0.0)) return;
    double fresh = prior_var(x), a = x[VK] / old;
    x[VV] += a * a * (fresh - old);
    x[VK] = a * fresh;
    x[KK] = fresh;
}

static inline void count(double *x, double u) {
    double k = x[K];
    x[RUN] += u;
    x[BLOCK_U] += x[BLOCK_N] * u;
    if (x[BLOCK_N] > 0.0) x[BLOCK_SPAN] += u;
    x[SAME_UL] += u;
    double kk = x[KK], vk = x[VK];
    x[V] -= k * u;
    x[VV] += u * (u * kk - 2.0 * vk);
    x[VK] = vk - u * kk;
    x[VO] -= u * x[KO];
    double room = prior_var(x) - kk, reservoir_ul = x[RESERVOIR_ML] * 1000.0;
    if (room > 0.0 && u > 0.0 && reservoir_ul > 0.0) {
        double walked = min2(WALK_SD * WALK_SD * u / reservoir_ul, room);
        x[KK] += walked;
        x[VK] -= walked * u / 2.0;
        x[VV] += walked * u * u / 3.0;
    }
}

static double advance(double *x, double programmed_ul, double sensed_ul, int counted) {
    x[DEVICE] -= programmed_ul;
    double e = x[E_PROGRAMMED] > 0.0 ? x[E_SENSED] / x[E_PROGRAMMED] : 1.0, u;
    if (counted && x[SOURCE] != 2.0) {
        if (x[SOURCE] == 1.0) {
            x[K] = 1.0;
            x[VK] = x[KO] = x[E_SENSED] = x[E_PROGRAMMED] = 0.0;
        }
        x[SOURCE] = 2.0;
        set_prior(x);
    }
    if (isnan(sensed_ul)) {
        x[PENDING] = counted ? 0.0 : x[PENDING] + programmed_ul;
        u = programmed_ul * e;
    } else if (counted) {
        double pending = x[PENDING];
        u = sensed_ul - pending * e;
        sense_ratio(x, sensed_ul, pending + programmed_ul);
        x[PENDING] = 0.0;
    } else {
        if (x[SOURCE] == 0.0) { x[SOURCE] = 1.0; set_prior(x); }
        if (x[SOURCE] == 1.0) sense_ratio(x, sensed_ul, programmed_ul);
        u = sensed_ul;
    }
    double delivered_ul = joined_k(x) * u;
    count(x, u);
    double owed = x[DEBT] - delivered_ul;
    x[DEBT] = max2(owed, 0.0);
    return max2(-owed, 0.0);
}

static void begin_shift(double *x) {
    x[SHIFT_V] = x[SHIFT_O] = x[SHIFT_SCORE] = x[SHIFT_INFO] = x[SHIFT_UL] = 0.0;
    x[SHIFT_K] = 1.0;
}

static int judge_shift(double *x, double score_before) {
    double score = x[SHIFT_SCORE], information = x[SHIFT_INFO], square = score * score;
    if (square >= LIMIT_Z * LIMIT_Z * information && information > 0.0) {
        double precision = information + 1.0 / (STEP_SD * STEP_SD), step = score / precision, doubt = STEP_DOUBT * step;
        double var = 1.0 / precision + doubt * doubt, v = x[SHIFT_V], k = x[SHIFT_K], o = x[SHIFT_O];
        x[V] += v * step;
        x[K] = max2(x[K] + k * step, 0.0);
        x[O] += o * step;
        x[TREND] -= k * step;
        x[VV] += v * v * var;
        x[VK] += v * k * var;
        x[VO] += v * o * var;
        x[KK] += k * k * var;
        x[KO] += k * o * var;
        x[OO] += o * o * var;
        begin_shift(x);
        return 1;
    }
    if ((x[SHIFT_UL] > OLD_SHARE * 1000.0 * x[RESERVOIR_ML] && square < OLD_Z * OLD_Z * information)
        || score * score_before < 0.0) begin_shift(x);
    return 0;
}

static double update(double *x, double h_k, double h_o, double residual, double noise_var, double gate_z) {
    double p_v = x[VV] + h_k * x[VK] + h_o * x[VO];
    double p_k = x[VK] + h_k * x[KK] + h_o * x[KO];
    double p_o = x[VO] + h_k * x[KO] + h_o * x[OO];
    double s = p_v + h_k * p_k + h_o * p_o + noise_var, z = residual / sqrt(s);
    double seen = x[SHIFT_V] + h_k * x[SHIFT_K] + h_o * x[SHIFT_O], seen_z = seen / sqrt(s);
    x[SHIFT_SCORE] += seen_z * min2(max2(z, -CLIP_Z), CLIP_Z);
    x[SHIFT_INFO] += seen_z * seen_z;
    if (!(fabs(z) <= gate_z)) return z;
    s *= max2(1.0, fabs(z) / HUBER_Z);
    x[SHIFT_V] -= p_v / s * seen;
    x[SHIFT_K] -= p_k / s * seen;
    x[SHIFT_O] -= p_o / s * seen;
    x[V] += p_v / s * residual;
    x[K] = max2(x[K] + p_k / s * residual, 0.0);
    x[O] += p_o / s * residual;
    x[VV] = max2(x[VV] - p_v * p_v / s, 0.0);
    x[KK] = max2(x[KK] - p_k * p_k / s, 0.0);
    x[OO] = max2(x[OO] - p_o * p_o / s, 0.0);
    x[VK] -= p_v * p_k / s;
    x[VO] -= p_v * p_o / s;
    x[KO] -= p_k * p_o / s;
    return z;
}

static inline double block_ul(const double *x) { return x[RESERVOIR_ML] * 1000.0 / BLOCKS_A_RESERVOIR * x[BLOCK_SCALE]; }

static double short_noise_var(const double *x) {
    double reservoir_ul = x[RESERVOIR_ML] * 1000.0, d1 = x[D1], rho = 0.0;
    if (d1 > 0.0) rho = min2(max2((x[D2] / d1 - 1.0 - RHO_MARGIN) / (1.0 - RHO_MARGIN), 0.0), RHO_MAX);
    double var = d1 / 2.0 * (1.0 + rho) / ((1.0 - rho) * (1.0 - rho)) * (1.0 + 8.0 / x[BLOCKS]), quantum = x[QUANTUM];
    if (x[SAME] > COARSE) var += quantum * quantum / 12.0 * max2(1.0, quantum / block_ul(x));
    double floor_ul = NOISE_FLOOR * reservoir_ul;
    return var + floor_ul * floor_ul;
}

static void carry(double *x, double run_ul) {
    double lost_ul = x[K] * run_ul;
    x[LAG1] -= lost_ul;
    x[LAG2] -= lost_ul;
    x[WIDE1] -= run_ul;
    x[WIDE2] -= run_ul;
    x[WIDE_Z] -= x[WIDE_N] * run_ul;
    x[SHIFT_V] -= x[SHIFT_K] * run_ul;
    x[SHIFT_UL] += run_ul;
}

static void learn_noise(double *x, double at_end_ul, double run_ul) {
    double steeper_ul = x[TREND] * run_ul;
    double d1 = at_end_ul - x[LAG1] + steeper_ul, d2 = at_end_ul - x[LAG2] + 2.0 * steeper_ul;
    if (!isnan(d1)) {
        x[BLOCKS] += 1.0;
        if (run_ul > 0.0) x[TREND] -= d1 / run_ul / min2(x[BLOCKS], TREND_MEMORY);
        double gain = 1.0 / min2(x[BLOCKS], NOISE_MEMORY), old = x[D1];
        x[D1] = old + gain * ((old == 0.0 ? d1 * d1 : min2(d1 * d1, 9.0 * old)) - old);
        old = x[D2];
        if (isnan(d2)) d2 = d1;
        x[D2] = old + gain * ((old == 0.0 ? d2 * d2 : min2(d2 * d2, 9.0 * old)) - old);
    }
    x[LAG2] = x[LAG1];
    x[LAG1] = at_end_ul;
    if (x[BLOCKS] >= 2.0 * MIN_BLOCKS && x[D2] > CORRELATED * x[D1] && x[BLOCK_SCALE] < MAX_BLOCK_SCALE) {
        x[BLOCK_SCALE] *= 2.0;
        x[BLOCKS] = MIN_BLOCKS;
    }
}

static void learn_drift(double *x, double at_end_ul, double run_ul, double noise_var, double elapsed_us) {
    x[WIDE_N] += 1.0;
    x[WIDE_Z] += at_end_ul;
    x[WIDE_UL] += run_ul;
    if (x[WIDE_UL] * WIDES_A_RESERVOIR < x[RESERVOIR_ML] * 1000.0) return;
    double n = x[WIDE_N], mean_ul = x[WIDE_Z] / n, bend = mean_ul - 2.0 * x[WIDE1] + x[WIDE2];
    x[WIDE2] = x[WIDE1];
    x[WIDE1] = mean_ul;
    x[WIDE_N] = x[WIDE_Z] = x[WIDE_UL] = 0.0;
    if (isnan(bend)) return;
    x[WIDES] += 1.0;
    double wides = min2(x[WIDES], WIDE_MEMORY), explained = 6.0 * noise_var / n, old = x[WANDER], believed = old;
    if (wides == 1.0) {
        double day_ul = DRIFT_DAY_SD * x[RESERVOIR_ML] * 1000.0;
        believed = day_ul * day_ul * n * max2(elapsed_us, 0.0) / DAY_US;
    }
    double square = min2(bend * bend, 9.0 * (explained + max2(believed, 0.0)));
    x[WANDER] = old + (square - explained - old) / wides;
}

static double wander_seen(const double *x, double noise_var, double run_ul) {
    double wides = min2(x[WIDES], WIDE_MEMORY);
    if (!(wides > 0.0)) return 0.0;
    double share = WIDES_A_RESERVOIR * run_ul / (x[RESERVOIR_ML] * 1000.0);
    double chance = BEND_CHANCE / sqrt(wides) * 6.0 * noise_var * min2(share, 1.0);
    return max2(x[WANDER] - chance, 0.0) * wides / (wides + FIRST_WEIGHT);
}

static void walk_offset(double *x, double wander, double run_ul, double elapsed_us) {
    double reservoir_ul = x[RESERVOIR_ML] * 1000.0, share = run_ul / reservoir_ul, sd_ul = DRIFT_SD * reservoir_ul;
    double walked = WALK_SHARE * WIDES_A_RESERVOIR * wander * share;
    if (elapsed_us > 0.0) {
        double day_ul = DRIFT_DAY_SD * reservoir_ul;
        double weight = FIRST_WEIGHT / (min2(x[WIDES], WIDE_MEMORY) + FIRST_WEIGHT);
        double shown = WALK_SHOWS * x[D1] * (1.0 + 8.0 / x[BLOCKS]);
        walked += weight * min2(day_ul * day_ul * (elapsed_us / DAY_US), shown);
    }
    x[OO] += max2(share * sd_ul * sd_ul, walked);
}

static void surprised(double *x, double z, double score_before) {
    int stepped = judge_shift(x, score_before);
    if (isnan(x[SURPRISE])) {
        double clear = (x[K] - 1.0) / CLEAR_Z;
        if (x[KK] <= max2(TRUSTED_SD * TRUSTED_SD, clear * clear)) x[SURPRISE] = 0.0;
        return;
    }
    if (stepped || !(fabs(z) > GATE_Z)) { x[SURPRISE] = 0.0; return; }
    x[SURPRISE] += 1.0;
    if (x[SURPRISE] >= JUMP_BLOCKS) {
        x[SURPRISE] = 0.0;
        double sd_ul = x[RESERVOIR_ML] * 1000.0 * OFFSET_SD;
        x[OO] = sd_ul > 0.0 ? sd_ul * sd_ul : 0.0;
        x[VO] = x[KO] = 0.0;
    }
}

static void close_block(double *x) {
    double n = x[BLOCK_N];
    if (!(n > 0.0)) return;
    double mean_ul = x[BLOCK_Z] / n, since_ul = x[BLOCK_U] / n, run_ul = x[RUN];
    double elapsed_us = x[T_US] - x[BLOCK_US];
    x[BLOCK_N] = x[BLOCK_Z] = x[BLOCK_U] = x[BLOCK_SPAN] = x[RUN] = 0.0;
    x[BLOCK_US] = x[T_US];
    if (isnan(x[QUANTUM])) return;
    carry(x, run_ul);
    learn_noise(x, mean_ul - x[K] * since_ul, run_ul);
    if (x[BLOCKS] < MIN_BLOCKS || !(run_ul > 0.0)) return;
    double short_var = short_noise_var(x);
    learn_drift(x, mean_ul - since_ul, run_ul, short_var, elapsed_us);
    if (isnan(x[V])) return;
    double wander = wander_seen(x, short_var, run_ul);
    walk_offset(x, wander, run_ul, elapsed_us);
    double wide_ul = x[RESERVOIR_ML] * 1000.0 / WIDES_A_RESERVOIR;
    double returning = (1.0 - WALK_SHARE) * wander / 6.0 * wide_ul / run_ul;
    double residual_ul = mean_ul - (x[V] + x[K] * since_ul + x[O]), score_before = x[SHIFT_SCORE];
    surprised(x, update(x, since_ul, 1.0, residual_ul, short_var + returning, GATE_Z), score_before);
}

static void level(double *x, double reservoir_ml) {
    double reservoir_ul = x[RESERVOIR_ML] * 1000.0;
    if (!(reservoir_ml >= 0.0 && reservoir_ul > 0.0)) return;
    double reading_ul = reservoir_ml * 1000.0;
    double left_ul = x[V], near_ul2 = EMPTY_Z * EMPTY_Z * (x[VV] + x[D1]);
    if (left_ul <= 0.0 || left_ul * left_ul <= near_ul2) {
        double seen_ul = reading_ul - x[O];
        if (seen_ul <= 0.0 || seen_ul * seen_ul <= near_ul2) return;
    }
    double change_ul = fabs(reading_ul - x[LEVEL]);
    x[LEVEL] = reading_ul;
    if (change_ul > 1e-9 * reservoir_ul) {
        x[SAME_UL] = 0.0;
        x[SAME] -= x[SAME] / 32.0;
        if (!(x[QUANTUM] <= change_ul)) x[QUANTUM] = change_ul;
    } else if (!isnan(change_ul)) {
        x[SAME] += (1.0 - x[SAME]) / 32.0;
        if (x[SAME_UL] > STUCK_QUANTA * x[QUANTUM]) return;
    }
    if (x[BLOCK_SPAN] >= block_ul(x)) close_block(x);
    x[BLOCK_N] += 1.0;
    x[BLOCK_Z] += reading_ul;
}

/* One row after another, as the fold does: advance, then level. delivered: n doubles out. */
void reservoir_rows(double *x, const double *rows_us, const double *programmed_ul, const double *sensed_ul,
                    const uint8_t *counted, const double *level_ml, int64_t n, double *delivered_ul) {
    for (int64_t i = 0; i < n; i++) {
        x[T_US] = rows_us[i];
        delivered_ul[i] = advance(x, programmed_ul[i], sensed_ul[i], counted[i]);
        level(x, level_ml[i]);
    }
}

/* The parts of a row, for rows_twin.c. */
double reservoir_twin_advance(double *x, double programmed_ul, double sensed_ul, int counted) {
    return advance(x, programmed_ul, sensed_ul, counted);
}
void reservoir_twin_level(double *x, double reservoir_ml) { level(x, reservoir_ml); }
