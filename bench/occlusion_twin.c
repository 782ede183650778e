/* kernels/occlusion.py, pressure_model.py and excursion.py in C, operation by operation: the yardstick of `make bench`. The meaning of everything is said there.
 *
 * Build: gcc -O3 -march=native -ffp-contract=off -shared -fPIC -o occlusion_twin.so occlusion_twin.c -lm
 * Contraction is off because numba's code has none: both must give the same bits.
 */
#include <math.h>
#include <stdint.h>

enum {
    LEVEL = 128, READY, ONSET_US, SLOPE, BASE, SCORE, STEP, COMPLIANCE, TOP, THRESHOLD, LAST_US, LAST, LAST_LOW,
    QUANTUM, SAME, HABIT, PERIOD_US, PART_ROWS, PART_N, PART_MAX, PART_SUM, PART_ROUGH, PART_FLOW, PART_INLET, RING_N,
    ROUGH_REF, ROUGH, FLOW_TOP, FLOW_LAST, ALLOW, INLET_TOP, SENSED_MEAN, SENSED_DEV, SENSED_NOW, PROGRAMMED, HOLD, PEAK,
    OUT_ROWS, OUT_BELOW, OUT_STRIDE, OUT_FILL, OUT_SUM, OUT_N, OUT_US, OUT = 172, PART_MIN = 183, RING_MAX = 184, RING_MEAN = 196,
    FLOW_NEXT = 282, RST_LEVEL = 23, DRIVE_LEVEL = 208, LEAK_LEVEL = 256, AIR_FLOW_NOW = 343, AIR_FLOW_MEAN = 349, AIR_FLOW_DEV = 350, RING = 12, PROFILE = 10
};
static const double HOUR_US = 3.6e9, DAY_US = 24 * 3.6e9, MARGIN = 0.5, MARGIN_MOST = 1.0, QUANTA = 2.5, ROUNDING = 1e-6,
    SHAPE = 0.5, EVEN_KNOWN = 0.2, EVEN_YOUNG = 0.4, FOLLOW = 0.5, YOUNG_RAMP = 12.0, EVEN_RING = 0.6, BEYOND_BASE = 1.8,
    YOUNG_DAYS = 1.5, FLAT_KNOWN = 4.0, FLAT_YOUNG = 16.0, LOST_SHARE = 0.25, HOLD_ROWS = 2.0, SETTLE_US = 300e6, CLEAR_SHARE = 0.25,
    SENSED_FINEST = 1.0 / 64.0, MORE_FLOW = 1.01, STUCK_ROWS = 8.0;
static const double K_OF_N[] = {12.2, 9.91, 8.69, 7.91, 7.37, 6.96, 6.68};

static inline double min2(double a, double b) { return b < a ? b : a; }
static inline double max2(double a, double b) { return b > a ? b : a; }

static double median(const double *a, int n) {
    int wanted = (n - 1) / 2;
    for (int i = 0; i < n; i++) {
        int below = 0, equal = 0;
        for (int j = 0; j < n; j++) {
            if (a[j] < a[i]) below++;
            else if (a[j] == a[i]) equal++;
        }
        if (below <= wanted && wanted < below + equal) return a[i];
    }
    return NAN;
}

static inline double span_us(const double *x) { return x[RING_N] * x[PART_ROWS] * x[PERIOD_US]; }

static void envelope(double *x) {
    int n = (int)x[RING_N], at = 0;
    double first = -INFINITY, second = -INFINITY, total = 0.0, squares = 0.0;
    for (int i = 0; i < n; i++) {
        double largest = x[RING_MAX + i];
        if (largest > first) { second = first; first = largest; at = i; }
        else if (largest > second) second = largest;
    }
    for (int i = 0; i < n; i++) total += i == at ? second : x[RING_MAX + i];
    double mean = total / n;
    for (int i = 0; i < n; i++) {
        double off = (i == at ? second : x[RING_MAX + i]) - mean;
        squares += off * off;
    }
    double base = median(x + RING_MEAN, n), top = second;
    double threshold = mean + K_OF_N[(n < 6 ? 6 : n) - 6] * sqrt(squares / (n - 1));
    double span = span_us(x);
    if (span >= DAY_US) threshold = min2(threshold, top + MARGIN_MOST * (1.0 + 0.5 * DAY_US / span) * (top - base));
    threshold = max2(max2(threshold, top + MARGIN * (top - base)), top + ROUNDING * fabs(base));
    if (x[QUANTUM] < INFINITY) threshold = max2(threshold, top + QUANTA * x[QUANTUM]);
    x[BASE] = base; x[TOP] = top; x[THRESHOLD] = threshold;
}

static void drop_part(double *x) {
    x[PART_N] = x[PART_SUM] = x[PART_ROUGH] = x[PART_FLOW] = 0.0;
    x[PART_MAX] = -INFINITY;
    x[PART_MIN] = INFINITY;
    x[PART_INLET] = NAN;
}

static void profile_add(double *x, double t_us, double low, double before, double top) {
    if (x[OUT_ROWS] == 0.0) {
        x[OUT] = min2(before, top);
        x[OUT_US] = x[ONSET_US] = t_us;
        x[OUT_STRIDE] = 1.0;
        x[OUT_N] = x[OUT_FILL] = x[OUT_SUM] = 0.0;
    }
    x[OUT_ROWS] += 1.0;
    x[OUT_FILL] += 1.0;
    x[OUT_SUM] += low;
    if (x[OUT_FILL] < x[OUT_STRIDE]) return;
    int n = (int)x[OUT_N] + 1;
    x[OUT + n] = x[OUT_SUM] / x[OUT_FILL];
    x[OUT_FILL] = x[OUT_SUM] = 0.0;
    if (n == PROFILE) {
        for (int i = 1; i <= PROFILE / 2; i++) x[OUT + i] = 0.5 * (x[OUT + 2 * i - 1] + x[OUT + 2 * i]);
        n = PROFILE / 2;
        x[OUT_STRIDE] *= 2.0;
    }
    x[OUT_N] = n;
}

static void profile_close(double *x) {
    x[OUT_ROWS] = x[OUT_BELOW] = 0.0;
    x[ONSET_US] = x[SLOPE] = x[COMPLIANCE] = NAN;
}

static double jumps(const double *x, double low, double *largest) {
    int n = (int)x[OUT_N], wide = x[OUT_STRIDE] > 1.0, at = -2, width = 1;
    double first = 0.0, falls = 0.0, before = 0.0, second = 0.0;
    for (int i = 0; i <= n; i++) {
        double rise = (i == n ? low : x[OUT + i + 1]) - x[OUT + i];
        falls -= min2(rise, 0.0);
        if (rise > first) { first = rise; at = i; width = 1; }
        if (wide && i > 0 && rise + before > first) { first = rise + before; at = i - 1; width = 2; }
        before = rise;
    }
    for (int i = 0; i <= n; i++) {
        double rise = (i == n ? low : x[OUT + i + 1]) - x[OUT + i];
        if (!(at <= i && i < at + width)) second = max2(second, rise);
    }
    *largest = first;
    return first + second + falls;
}

static double swapped(const double *x, double mean) {
    if (x[READY] == 0.0 || x[PART_ROWS] * x[PERIOD_US] < DAY_US) return 0.0;
    double lowest = x[RING_MEAN];
    for (int i = 0; i < (int)x[RING_N]; i++) lowest = min2(lowest, x[RING_MEAN + i]);
    if (x[PART_MAX] < lowest - (x[TOP] - x[BASE])) return mean - x[BASE];
    if (x[PART_MIN] > x[TOP] && x[OUT_ROWS] >= x[PART_N]) {
        double jump;
        jumps(x, x[LAST_LOW], &jump);
        if (jump > 0.5 * (mean - x[OUT])) return mean - x[BASE];
    }
    return 0.0;
}

static int straight(const double *x) {
    int n = (int)x[RING_N];
    double first = 0.0, second = 0.0, falls = 0.0, spread = 0.0;
    for (int i = 0; i < n; i++) {
        spread += x[RING_MAX + i] - x[RING_MEAN + i];
        if (i == 0) continue;
        double rise = x[RING_MEAN + i] - x[RING_MEAN + i - 1];
        falls -= min2(rise, 0.0);
        if (rise > first) { second = first; first = rise; }
        else if (rise > second) second = rise;
    }
    double start = x[RING_MEAN], whole = x[RING_MEAN + n - 1] - start, rest = whole - first - second - falls;
    return rest > max2(max2(YOUNG_RAMP * spread / n, EVEN_RING * whole), BEYOND_BASE * fabs(start));
}

static double flow_lift(const double *x, double flow) {
    double seen = x[FLOW_TOP];
    if (!(flow > seen)) return 0.0;
    double ratio = flow / seen;
    return max2(fabs(x[BASE]), fabs(x[TOP])) * (ratio * ratio - 1.0);
}

static void learn_flow(double *x, int merged) {
    double flow = x[PART_FLOW], seen = x[FLOW_TOP], before = x[FLOW_NEXT];
    x[FLOW_NEXT] = flow;
    if (flow <= seen) x[FLOW_TOP] = max2(flow, 0.9 * seen);
    else if (before > seen && !merged) x[FLOW_TOP] = min2(flow, before);
}

static void close_part(double *x) {
    double rows = x[PART_N];
    int n = (int)x[RING_N], merged = 0;
    double mean = x[PART_SUM] / rows, largest = x[PART_MAX], shift = swapped(x, mean);
    if (shift != 0.0) {
        for (int i = 0; i < n; i++) { x[RING_MAX + i] += shift; x[RING_MEAN + i] += shift; }
        profile_close(x);
    } else if (x[READY] == 1.0 && span_us(x) >= DAY_US) {
        double most = x[RING_MEAN], share = min2(x[PART_ROWS] * x[PERIOD_US] / DAY_US, 1.0);
        for (int i = 0; i < n; i++) most = max2(most, x[RING_MEAN + i]);
        double follow = FOLLOW * share * (x[TOP] - x[BASE]);
        follow += flow_lift(x, x[PART_FLOW]);
        mean = min2(mean, most + follow);
        largest = min2(largest, x[TOP] + follow);
    }
    if (n == RING) {
        for (int i = 0; i < RING - 1; i++) { x[RING_MAX + i] = x[RING_MAX + i + 1]; x[RING_MEAN + i] = x[RING_MEAN + i + 1]; }
        n--;
    }
    x[RING_MAX + n] = largest;
    x[RING_MEAN + n] = mean;
    n++;
    if (n == RING) {
        x[READY] = 1.0;
        if (x[PART_ROWS] * x[PERIOD_US] < DAY_US) {
            for (int i = 0; i < RING / 2; i++) {
                x[RING_MAX + i] = max2(x[RING_MAX + 2 * i], x[RING_MAX + 2 * i + 1]);
                x[RING_MEAN + i] = 0.5 * (x[RING_MEAN + 2 * i] + x[RING_MEAN + 2 * i + 1]);
            }
            n = RING / 2;
            x[PART_ROWS] *= 2.0;
            merged = 1;
        }
    }
    x[RING_N] = n;
    double rough = x[PART_ROUGH] / rows, reference = x[ROUGH_REF];
    if (reference == 0.0) x[ROUGH_REF] = rough;
    else x[ROUGH_REF] += 0.25 * (min2(rough, 4.0 * reference) - reference);
    learn_flow(x, merged);
    double inlet = x[PART_INLET], inlet_top = x[INLET_TOP];
    if (!isnan(inlet)) x[INLET_TOP] = isnan(inlet_top) ? inlet : inlet_top + 0.125 * (inlet - inlet_top);
    drop_part(x);
    if (n >= RING / 2) envelope(x);
}

static void evidence(double *x, double t_us, double low, double flow) {
    double elapsed_h = (t_us - x[OUT_US]) / HOUR_US;
    if (elapsed_h <= 0.0 || x[OUT_N] == 0.0) return;
    double slope = (low - x[OUT]) / elapsed_h;
    x[SLOPE] = slope;
    if (slope <= 0.0) return;
    x[ONSET_US] = x[OUT_US] - max2((x[OUT] - x[BASE]) / slope * HOUR_US, 0.0);
    x[COMPLIANCE] = flow / slope;
}

static int stuck(double *x, double step) {
    double bound = 2.0 * x[HABIT] + STUCK_ROWS;
    if (step == 0.0) { x[SAME] += 1.0; return x[SAME] > bound; }
    x[QUANTUM] = min2(x[QUANTUM], fabs(step));
    if (x[SAME] > x[HABIT] && x[LEVEL] == 0.0) x[HABIT] = min2(x[SAME], bound);
    x[SAME] = 0.0;
    return 0;
}

/* The first program that is known of any flow begins the ring anew. */
static void forget(double *x) {
    drop_part(x);
    profile_close(x);
    x[READY] = x[RING_N] = x[ROUGH_REF] = x[HOLD] = x[LEVEL] = 0.0;
    x[PART_ROWS] = 16.0;
    x[BASE] = x[TOP] = x[THRESHOLD] = NAN;
}

static double flow_of(double *x, double programmed, double sensed) {
    if (programmed > 0.0) {
        if (x[PROGRAMMED] == 0.0 && x[FLOW_TOP] == 0.0) forget(x);
        x[PROGRAMMED] = 1.0;
        return programmed;
    }
    if (sensed > 0.0) return sensed;
    int new = sensed == 0.0 && x[FLOW_TOP] == 0.0;
    return programmed == 0.0 && (x[PROGRAMMED] == 1.0 || new) ? 0.0 : NAN;
}

static double allow_for(double *x, double flow, double low) {
    double lasting = flow > 0.0 ? min2(flow, x[FLOW_LAST]) : 0.0;
    double seen = x[FLOW_TOP], before = max2(seen, x[FLOW_NEXT]);
    if (x[READY] == 1.0 && lasting > MORE_FLOW * max2(before, x[PART_FLOW])) drop_part(x);
    x[PART_FLOW] = max2(x[PART_FLOW], lasting);
    if (flow > 0.0) {
        x[FLOW_LAST] = flow;
        if (seen == 0.0) x[FLOW_TOP] = flow;
    }
    if (x[READY] == 0.0) return 0.0;
    double allow = flow_lift(x, lasting);
    if (allow == 0.0) {
        allow = 0.9375 * min2(x[ALLOW], max2(low - x[TOP], 0.0));
        if (allow < ROUNDING * (x[THRESHOLD] - x[BASE])) allow = 0.0;
    }
    x[ALLOW] = allow;
    return allow;
}

static int sensed_lost(double *x, double programmed, double sensed) {
    if (programmed > 0.0) { if (x[PROGRAMMED] == 0.0) x[SENSED_MEAN] = NAN; }
    else if (x[PROGRAMMED] == 1.0) return 0;
    double share = programmed > 0.0 ? sensed / programmed : sensed;
    if (!(fabs(share) < INFINITY)) return 0;
    double mean = x[SENSED_MEAN];
    if (isnan(mean)) {
        x[SENSED_MEAN] = x[SENSED_NOW] = share;
        x[SENSED_DEV] = fabs(share);
        return 0;
    }
    x[SENSED_NOW] += 0.25 * (share - x[SENSED_NOW]);
    if (x[LEVEL] == 0.0 && x[OUT_ROWS] == 0.0) {
        double dev = x[SENSED_DEV], most = 4.0 * max2(dev, SENSED_FINEST * max2(fabs(mean), fabs(share)));
        double off = min2(max2(share - mean, -most), most);
        x[SENSED_MEAN] += off / 64.0;
        x[SENSED_DEV] += (fabs(off) - dev) / 64.0;
    }
    double dev = max2(x[SENSED_DEV], SENSED_FINEST * fabs(mean));
    return x[SENSED_NOW] < mean - 6.0 * dev && x[READY] == 1.0;
}

/* Share of the time for which it must last that this row stands for, where it towers over all that was seen. */
static double towering(double *x, double low, double base, double top, double allow) {
    double over = low - top - allow, width = top - base, unit = max2(fabs(top) + allow, width + allow);
    if (x[RST_LEVEL] > 0.0 || !(over > unit)) return 0.0;
    double now = x[AIR_FLOW_NOW], usual = x[AIR_FLOW_MEAN];
    if ((now < 0.85 * usual && now < usual - 5.0 * x[AIR_FLOW_DEV]) || x[DRIVE_LEVEL] == 2.0) return 0.5;
    int rigid = over > 2.0 * (fabs(top) + allow) && over > 60.0 * width;
    return rigid || over > 5.0 * unit ? 1.0 / max2(16.0, 0.5 * x[PART_ROWS]) : 0.0;
}

/* The same over the periods of a ring that is not ready. */
static double first_towering(double *x, double low, double flow) {
    int n = (int)x[RING_N];
    double seen = x[FLOW_TOP], base = x[RING_MEAN], top = x[RING_MAX];
    if (n < 2 || !(seen > 0.0)) return 0.0;
    for (int i = 1; i < n; i++) { base = min2(base, x[RING_MEAN + i]); top = max2(top, x[RING_MAX + i]); }
    double ratio = max2(flow / seen, 1.0);
    double due = towering(x, low, base, top, max2(fabs(base), fabs(top)) * (ratio * ratio - 1.0));
    if (due > 0.0) { x[BASE] = base; x[TOP] = top; x[THRESHOLD] = top + MARGIN * (top - base); }
    return due;
}

static double condition(double *x, double t_us, double low, double allow, int lost) {
    double base = x[BASE], top = x[TOP] + allow, threshold = x[THRESHOLD] + allow, largest;
    double jumped = jumps(x, low, &largest), rise = low - x[OUT];
    x[SCORE] = (low - jumped - top) / (threshold - top);
    int known = span_us(x) >= YOUNG_DAYS * DAY_US;
    double tower = known ? 0.0 : HOLD_ROWS * towering(x, low, base, x[TOP], allow);
    if (low <= threshold) return tower;
    int settled = known || t_us - x[OUT_US] >= SETTLE_US;
    if (settled && x[SCORE] > SHAPE && rise - jumped > (known ? EVEN_KNOWN : EVEN_YOUNG) * rise) return HOLD_ROWS;
    double quantum = x[QUANTUM], reference = x[ROUGH_REF];
    int smooth = x[ROUGH] < LOST_SHARE * LOST_SHARE * reference && reference > 4.0 * quantum * quantum && x[OUT_ROWS] >= 16.0;
    lost = lost || x[DRIVE_LEVEL] == 2.0;
    if (!known && !smooth && !lost) return tower;
    if (x[RST_LEVEL] > 0.0) return 0.0;
    double flat = known ? FLAT_KNOWN : FLAT_YOUNG;
    if (smooth || lost) flat *= LOST_SHARE;
    return low - base > flat * (threshold - base) ? 1.0 : tower;
}

/* Enter a healthy row; 1 if the period that it fills ends a straight rise through a young ring. */
static int learn(double *x, double low, double inlet) {
    x[PART_N] += 1.0;
    x[PART_SUM] += low;
    x[PART_MAX] = max2(x[PART_MAX], low);
    x[PART_MIN] = min2(x[PART_MIN], low);
    x[PART_ROUGH] += x[ROUGH];
    if (fabs(inlet) < INFINITY && !(x[PART_INLET] > inlet)) x[PART_INLET] = inlet;
    if (x[PART_N] < x[PART_ROWS]) return 0;
    close_part(x);
    return x[READY] == 1.0 && span_us(x) < YOUNG_DAYS * DAY_US && straight(x);
}

static void blame_youth(double *x, double t_us, double low, double flow) {
    int n = (int)x[RING_N];
    double start = x[RING_MEAN];
    for (int i = 1; i < n; i++) { x[RING_MAX + i] -= x[RING_MEAN + i] - start; x[RING_MEAN + i] = start; }
    envelope(x);
    x[OUT] = start;
    x[OUT_N] = x[OUT_ROWS] = 1.0;
    x[OUT + 1] = low;
    x[OUT_STRIDE] = n * x[PART_ROWS];
    x[OUT_FILL] = x[OUT_SUM] = 0.0;
    x[OUT_US] = t_us - n * x[PART_ROWS] * x[PERIOD_US];
    x[PEAK] = low - start;
    evidence(x, t_us, low, flow);
}

static int recovered(double *x, double high) {
    double over = high - x[BASE], margin = x[THRESHOLD] - x[BASE];
    x[PEAK] = max2(x[PEAK], over);
    return over < 0.5 * margin || over < CLEAR_SHARE * x[PEAK];
}

static int row(double *x, double t_us, double pressure, double inlet, double programmed, double sensed) {
    int level = (int)x[LEVEL];
    if (!(fabs(pressure) < INFINITY)) return level;
    double last = x[LAST], last_us = x[LAST_US];
    x[LAST] = pressure; x[LAST_US] = t_us;
    if (isnan(last)) return level;
    double gap = t_us - last_us, usual = x[PERIOD_US], step = pressure - last;
    x[PERIOD_US] = usual > 0.0 ? usual + (min2(gap, 4.0 * usual) - usual) / 64.0 : gap;
    int known = x[PART_ROWS] * x[PERIOD_US] >= DAY_US;
    if (stuck(x, step) && (known || level > 0)) return level;
    double bend = step - x[STEP];
    x[STEP] = step;
    double square = bend * bend, most = max2(4.0 * x[ROUGH], x[ROUGH_REF] / 16.0);
    x[ROUGH] += ((most > 0.0 ? min2(square, most) : square) - x[ROUGH]) / 8.0;
    int lost = sensed_lost(x, programmed, sensed);
    double flow = flow_of(x, programmed, sensed), common = 0.0;
    level = (int)x[LEVEL];
    if (inlet > x[INLET_TOP] && inlet < INFINITY) common = inlet - x[INLET_TOP];
    double low = min2(pressure, last) - common, before = isnan(x[LAST_LOW]) ? low : x[LAST_LOW], due = 0.0;
    x[LAST_LOW] = low;
    if (level == 2) {
        profile_add(x, t_us, low, before, low);
        x[HOLD] = recovered(x, max2(pressure, last)) ? x[HOLD] + 1.0 : 0.0;
        if (x[HOLD] > HOLD_ROWS) { x[LEVEL] = x[HOLD] = 0.0; profile_close(x); return 0; }
        return 2;
    }
    if (flow == 0.0) return level;
    double allow = allow_for(x, sensed < INFINITY ? max2(flow, sensed) : flow, low);
    if (x[READY] == 1.0) {
        double top = x[TOP] + allow;
        if (low > top) {
            x[OUT_BELOW] = 0.0;
            profile_add(x, t_us, low, before, top);
            due = condition(x, t_us, low, allow, lost);
        } else if (x[OUT_ROWS] > 0.0) {
            x[OUT_BELOW] += 1.0;
            if (x[OUT_BELOW] > 3.0 + 0.25 * x[OUT_ROWS]) profile_close(x);
            else profile_add(x, t_us, low, before, top);
        }
    } else {
        due = HOLD_ROWS * first_towering(x, low, flow);
        if (due > 0.0) profile_add(x, t_us, low, before, x[TOP]);
        else if (x[OUT_ROWS] > 0.0) profile_close(x);
    }
    if (due > 0.0) {
        evidence(x, t_us, low, flow);
        x[HOLD] += due;
        level = x[HOLD] >= HOLD_ROWS ? 2 : 1;
        if (level == 2) { x[HOLD] = 0.0; x[PEAK] = low - x[BASE]; drop_part(x); }
    } else {
        x[HOLD] = 0.0;
        level = x[LEAK_LEVEL] != 2.0 && learn(x, low, inlet) ? 2 : 0;
        if (level == 2) blame_youth(x, t_us, low, flow);
    }
    x[LEVEL] = level;
    return level;
}

void occlusion_rows(double *x, const double *t_us, const double *pressure, const double *inlet, const double *programmed,
                    const double *sensed, double *levels, int64_t n) {
    for (int64_t k = 0; k < n; k++) levels[k] = row(x, t_us[k], pressure[k], inlet[k], programmed[k], sensed[k]);
}

/* One row, for rows_twin.c. */
int occlusion_twin_row(double *x, double t_us, double pressure, double inlet, double programmed, double sensed) {
    return row(x, t_us, pressure, inlet, programmed, sensed);
}
