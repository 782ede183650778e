/* Dose, reservoir and occlusion of one telemetry row after another in C: what `rows` of bench/bench_kernels.py does with the
 * kernels, operation by operation, from the three twins beside this file.
 *
 * Build: gcc -O3 -flto -march=native -ffp-contract=off -shared -fPIC -o rows_twin.so *_twin.c -lm
 * Link-time optimisation lets gcc inline across the files, as numba does. Contraction is off because numba's code has none:
 * both must give the same bits.
 */
#include <math.h>
#include <stdint.h>

enum {
    T_US = 0, MAX_RATE_UL_H = 5, ENCODER_WRAP_UL = 8, CONCENTRATION = 11, EXPECTED_UL = 16, LAST_ROW_US = 17,
    PROGRAMMED_UL = 32, PROGRAMMED_UG = 34, SENSED_UL = 36, SENSED_UG = 38, TIP_UG = 40, BOLUS_UL = 42, PRIMING_UL = 44,
    DELIVERED_UL = 46, SENSED_KNOWN = 50, COUNT_UL = 52
};
static const double HOUR_US = 3.6e9;

double dose_twin_programmed_ul(const double *program, const double *schedule, int64_t n_steps, double t0_us, double t1_us);
double dose_twin_sensed_ul(double *x, double t_us, double delivered_ul, double flow_ul_h, double max_rate_ul_h, double wrap_ul);
void dose_twin_add(double *x, int slot, double amount);
double reservoir_twin_advance(double *x, double programmed_ul, double sensed_ul, int counted);
void reservoir_twin_level(double *x, double reservoir_ml);
int occlusion_twin_row(double *x, double t_us, double pressure, double inlet, double programmed, double sensed);

/* kernels/step.py `account` without boluses and priming, one concentration in tubing and reservoir. */
static inline void account(double *x, double programmed_ul, double sensed_ul, int counted) {
    double ug_ul = x[CONCENTRATION] / 1000.0, patient_ul = 0.0;
    double delivered_ul = reservoir_twin_advance(x, programmed_ul, sensed_ul, counted);
    dose_twin_add(x, PROGRAMMED_UL, programmed_ul);
    dose_twin_add(x, BOLUS_UL, 0.0);
    dose_twin_add(x, PRIMING_UL, 0.0);
    dose_twin_add(x, DELIVERED_UL, delivered_ul);
    if (!isnan(sensed_ul)) {
        patient_ul = sensed_ul;
        dose_twin_add(x, SENSED_UL, patient_ul);
    }
    dose_twin_add(x, PROGRAMMED_UG, programmed_ul * ug_ul);
    dose_twin_add(x, SENSED_UG, patient_ul * ug_ul);
    dose_twin_add(x, TIP_UG, delivered_ul > 0.0 ? delivered_ul * x[CONCENTRATION] / 1000.0 : 0.0);
}

/* x: double[512]; program: double[8]; schedule: double[n_steps][2]; rows_us: int64[n]; columns: double[13][n]; levels: int64[n] out. */
void rows(double *x, const double *program, const double *schedule, int64_t n_steps, const int64_t *rows_us,
          const double *columns, int64_t n, int64_t *levels) {
    const double *counter = columns, *flow = columns + n, *level_ml = columns + 2 * n, *outlet = columns + 3 * n,
                 *inlet = columns + 4 * n;
    for (int64_t row = 0; row < n; row++) {
        double t_us = (double)rows_us[row], programmed_ul = 0.0;
        if (t_us - x[T_US] > 0.0) programmed_ul = dose_twin_programmed_ul(program, schedule, n_steps, x[T_US], t_us);
        x[T_US] = t_us;
        int starts = !isnan(counter[row]) && isnan(x[COUNT_UL]);
        double sensed_ul = dose_twin_sensed_ul(x, t_us, counter[row], flow[row], x[MAX_RATE_UL_H], x[ENCODER_WRAP_UL]);
        int by_counter = x[SENSED_KNOWN] == 2.0, nothing = x[SENSED_KNOWN] == 0.0;
        if (nothing) sensed_ul = NAN;
        account(x, programmed_ul, sensed_ul, by_counter || (starts && nothing));
        double expected_ul = x[EXPECTED_UL] + programmed_ul, since_us = t_us - x[LAST_ROW_US];
        x[EXPECTED_UL] = 0.0;
        reservoir_twin_level(x, level_ml[row]);
        double mean_ul_h = since_us > 0.0 ? expected_ul / since_us * HOUR_US : NAN;
        double sensed_ul_h = since_us > 0.0 ? sensed_ul / since_us * HOUR_US : NAN;
        x[LAST_ROW_US] = t_us;
        levels[row] = occlusion_twin_row(x, t_us, outlet[row], inlet[row], mean_ul_h, sensed_ul_h);
    }
}
