/* The per-row part of the dose ledgers in C, the arithmetic of kernels/dose.py and kernels/ledger.py operation by operation:
 * programmed volume of a program without pulses and boluses (steady, or weekly steps), sensed volume by counter and by flow,
 * coverage, compensated sums, plug flow while one concentration fills the tubing. The yardstick of `make bench`.
 *
 * Build: gcc -O3 -march=native -ffp-contract=off -shared -fPIC -o dose_twin.so dose_twin.c -lm
 * Contraction is off because numba's code has none: both must give the same bits.
 */
#include <math.h>
#include <stdint.h>

enum {
    PROGRAMMED_UL = 32, PROGRAMMED_UG = 34, SENSED_UL = 36, SENSED_UG = 38, TIP_UG = 40, BOLUS_UL = 42, PRIMING_UL = 44,
    DELIVERED_UL = 46, COVERED_US = 48, SENSED_KNOWN = 50, COVER_US = 51, DOSE_SOURCES = 52, SOURCES = 3, SOURCE_SIZE = 12,
    COUNT_UL = 0, COUNT_US = 1, FLOW_COUNTED_UL = 2, FALLEN_UL = 3, FELL_US = 4, HELD_FLOW_UL_H = 5, HELD_FLOW_US = 6,
    ROW_US = 7, PERIOD_US = 8, INTERVAL_US = 9, PLUGS = 88, MAX_PLUGS = 4
};
static const double HOUR_US = 3.6e9, DAY_US = 8.64e10, WEEK_US = 6.048e11, MONDAY_US = 3.0 * 8.64e10;

static inline double min2(double a, double b) { return b < a ? b : a; }
static inline double max2(double a, double b) { return b > a ? b : a; }

static inline void add(double *x, int slot, double amount) {
    double before = x[slot], after = before + amount;
    if (fabs(before) >= fabs(amount)) x[slot + 1] += (before - after) + amount;
    else x[slot + 1] += (amount - after) + before;
    x[slot] = after;
}

static int64_t step_at(const double *schedule, int64_t n, double week_us) {
    int64_t low = 0, high = n - 1;
    while (low < high) {
        int64_t middle = (low + high + 1) / 2;
        if (schedule[2 * middle] <= week_us) low = middle;
        else high = middle - 1;
    }
    return low;
}

static double within_week(const double *schedule, int64_t n, double from_us, double to_us) {
    double integral = 0.0, start_us = from_us;
    int64_t step = step_at(schedule, n, from_us);
    while (start_us < to_us) {
        double end_us = step == n - 1 ? to_us : min2(schedule[2 * step + 2], to_us);
        integral += schedule[2 * step + 1] * (end_us - start_us);
        start_us = end_us;
        step++;
    }
    return integral;
}

static inline double steps_ul(const double *program, const double *schedule, int64_t n, double t0_us, double t1_us) {
    t0_us = max2(t0_us, program[0]);
    if (!(t1_us > t0_us)) return 0.0;
    if (n == 1) return schedule[1] * (t1_us - t0_us) / HOUR_US;
    double shift_us = program[1] + MONDAY_US;
    double week0 = floor((t0_us + shift_us) / WEEK_US), week1 = floor((t1_us + shift_us) / WEEK_US);
    double from_us = t0_us + shift_us - week0 * WEEK_US, to_us = t1_us + shift_us - week1 * WEEK_US;
    if (week0 == week1) return within_week(schedule, n, from_us, to_us) / HOUR_US;
    double integral = within_week(schedule, n, from_us, WEEK_US) + within_week(schedule, n, 0.0, to_us);
    if (week1 - week0 > 1.0) integral += (week1 - week0 - 1.0) * within_week(schedule, n, 0.0, WEEK_US);
    return integral / HOUR_US;
}

static double fallen_ul(double count_ul, double delivered_ul, double elapsed_us, double max_rate_ul_h, double wrap_ul) {
    double most_ul = max_rate_ul_h * min2(elapsed_us, DAY_US) / HOUR_US * (1.0 + 1e-9), implied_ul = NAN;
    if (0.0 <= delivered_ul && delivered_ul <= most_ul) implied_ul = delivered_ul;
    double wrapped_ul = (wrap_ul - count_ul) + delivered_ul;
    if (0.0 <= wrapped_ul && wrapped_ul <= most_ul && !(wrapped_ul >= implied_ul)) implied_ul = wrapped_ul;
    return implied_ul;
}

static inline double counted_ul(double *x, int base, double t_us, double delivered_ul, double max_rate_ul_h, double wrap_ul) {
    double count_ul = x[base + COUNT_UL], difference_ul;
    if (delivered_ul >= count_ul) {
        difference_ul = delivered_ul - count_ul;
    } else {
        double low_ul = x[base + FALLEN_UL];
        difference_ul = NAN;
        if (!(delivered_ul >= low_ul)) {
            difference_ul = fallen_ul(count_ul, delivered_ul, t_us - x[base + COUNT_US], max_rate_ul_h, wrap_ul);
            if (isnan(difference_ul)) {
                if (isnan(low_ul)) x[base + FELL_US] = t_us;
                low_ul = x[base + FALLEN_UL] = delivered_ul;
            }
        }
        if (isnan(difference_ul)) {
            if (t_us - x[base + FELL_US] < DAY_US) return NAN;
            difference_ul = delivered_ul - low_ul;
        }
    }
    x[base + COUNT_UL] = delivered_ul;
    x[base + COUNT_US] = t_us;
    x[base + FALLEN_UL] = NAN;
    difference_ul -= x[base + FLOW_COUNTED_UL];
    x[base + FLOW_COUNTED_UL] = 0.0;
    return difference_ul;
}

static inline double flow_ul(double *x, int base, double t_us) {
    double flow_ul_h = x[base + HELD_FLOW_UL_H];
    if (isnan(flow_ul_h)) return NAN;
    double row_us = x[base + ROW_US], period_us = x[base + PERIOD_US], until_us = t_us;
    if (!isnan(period_us)) until_us = min2(t_us, x[base + HELD_FLOW_US] + 3.0 * period_us);
    if (!(until_us > row_us)) return NAN;
    double volume_ul = flow_ul_h * (until_us - row_us) / HOUR_US;
    for (int source = 0; source < SOURCES; source++) x[DOSE_SOURCES + source * SOURCE_SIZE + FLOW_COUNTED_UL] += volume_ul;
    return volume_ul;
}

static inline void cover(double *x, double t_us) {
    double since_us = x[COVER_US], until_us = since_us;
    if (!(t_us > since_us)) return;
    for (int source = 0; source < SOURCES; source++) {
        int base = DOSE_SOURCES + source * SOURCE_SIZE;
        double held_us = x[base + ROW_US] + 3.0 * x[base + PERIOD_US];
        if (held_us > until_us) until_us = held_us;
    }
    x[COVERED_US] += min2(until_us, t_us) - since_us;
    x[COVER_US] = t_us;
}

static inline void learn_period(double *x, int base, double interval_us) {
    double first = x[base + INTERVAL_US], second = x[base + INTERVAL_US + 1];
    x[base + INTERVAL_US + 2] = second;
    x[base + INTERVAL_US + 1] = first;
    x[base + INTERVAL_US] = interval_us;
    if (interval_us == x[base + PERIOD_US]) return;
    if (isnan(first)) x[base + PERIOD_US] = interval_us;
    else if (isnan(second)) x[base + PERIOD_US] = min2(interval_us, first);
    else x[base + PERIOD_US] = max2(min2(first, second), min2(max2(first, second), interval_us));
}

static inline double sensed_ul(double *x, int source, double t_us, double delivered_ul, double flow_ul_h,
                               double max_rate_ul_h, double wrap_ul) {
    int base = DOSE_SOURCES + source * SOURCE_SIZE;
    double interval_us = t_us - x[base + ROW_US], known = 0.0, volume_ul = NAN;
    int has_counter = !isnan(delivered_ul);
    if (has_counter && !isnan(x[base + COUNT_UL])) {
        volume_ul = counted_ul(x, base, t_us, delivered_ul, max_rate_ul_h, wrap_ul);
        known = 2.0;
    } else {
        if (interval_us > 0.0) {
            volume_ul = flow_ul(x, base, t_us);
            known = 1.0;
        }
        if (has_counter) {
            x[base + COUNT_UL] = delivered_ul;
            x[base + COUNT_US] = t_us;
            x[base + FLOW_COUNTED_UL] = 0.0;
        }
    }
    if (isnan(volume_ul)) known = volume_ul = 0.0;
    x[SENSED_KNOWN] = known;
    if (interval_us > 0.0) {
        int first = isnan(x[base + PERIOD_US]);
        if (first) learn_period(x, base, interval_us);
        cover(x, t_us);
        if (!first) learn_period(x, base, interval_us);
    } else if (isnan(x[COVER_US])) {
        x[COVER_US] = t_us;
    } else {
        cover(x, t_us);
    }
    x[base + ROW_US] = t_us;
    if (!isnan(flow_ul_h)) {
        x[base + HELD_FLOW_UL_H] = flow_ul_h;
        x[base + HELD_FLOW_US] = t_us;
    }
    return volume_ul;
}

/* Rows of one pump with one concentration; x: double[512], program: double[8], schedule: double[n_steps][2], t_us: times in
 * order, program without pulses or boluses. The delivered volume stands in for the reservoir's estimate: sensed, else
 * programmed. */
void dose_rows(double *x, const double *program, const double *schedule, int64_t n_steps, const double *t_us,
               const double *delivered_ul, const double *flow_ul_h, int64_t n, double max_rate_ul_h, double wrap_ul,
               double concentration_ug_ml) {
    double before_us = t_us[0], ug_ul = concentration_ug_ml / 1000.0;
    for (int64_t row = 0; row < n; row++) {
        double programmed_ul = steps_ul(program, schedule, n_steps, before_us, t_us[row]);
        before_us = t_us[row];
        double volume_ul = sensed_ul(x, 0, t_us[row], delivered_ul[row], flow_ul_h[row], max_rate_ul_h, wrap_ul);
        double best_ul = x[SENSED_KNOWN] == 0.0 ? programmed_ul : volume_ul;
        add(x, PROGRAMMED_UL, programmed_ul);
        add(x, PROGRAMMED_UG, programmed_ul * ug_ul);
        add(x, SENSED_UL, volume_ul);
        add(x, SENSED_UG, volume_ul * ug_ul);
        add(x, DELIVERED_UL, best_ul);
        add(x, TIP_UG, best_ul > 0.0 ? best_ul * concentration_ug_ml / 1000.0 : 0.0);
    }
}

/* The parts of a row, for rows_twin.c. */
double dose_twin_programmed_ul(const double *program, const double *schedule, int64_t n_steps, double t0_us, double t1_us) {
    return steps_ul(program, schedule, n_steps, t0_us, t1_us);
}
double dose_twin_sensed_ul(double *x, double t_us, double delivered_ul, double flow_ul_h, double max_rate_ul_h, double wrap_ul) {
    return sensed_ul(x, 0, t_us, delivered_ul, flow_ul_h, max_rate_ul_h, wrap_ul);
}
void dose_twin_add(double *x, int slot, double amount) { add(x, slot, amount); }
