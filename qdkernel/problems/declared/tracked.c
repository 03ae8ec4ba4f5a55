/* Numbers that carry their magnitude: what a reference computes with in place of float and double.

   A number x is kept as v, its value in QD_WIDE, and m: the rounding errors of an honest computation of x, in whatever
   order it sums, are a small multiple of eps * m. To first order in eps, for exact inputs m = |v|, sums add magnitudes,
   products multiply the magnitude of each factor by the other factor, and other functions multiply by their condition
   number (Higham 2002, "Accuracy and Stability of Numerical Algorithms", sec. 1.6 and 3.1). Products of two magnitudes
   would count terms of second order, which grow without bound in a recursion. m <= 0 marks a number that no rounding has
   touched. A product below the normal range of the kernel's type errs by eps * QD_TINY. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <tgmath.h>

typedef struct {
    QD_WIDE v, m;
} qd_real;

static inline qd_real qd_exact(QD_WIDE v) { return (qd_real){v, -fabs(v)}; }
static inline QD_WIDE qd_carried(qd_real a) { return a.m > 0 ? a.m : 0; } /* the error of a itself */

static inline qd_real qd_add(qd_real a, qd_real b) { return (qd_real){a.v + b.v, fabs(a.m) + fabs(b.m)}; }
static inline qd_real qd_sub(qd_real a, qd_real b)
{
    if (a.m <= 0 && b.m <= 0 && a.v == b.v) return qd_exact(0); /* a number less itself */
    return (qd_real){a.v - b.v, fabs(a.m) + fabs(b.m)};
}
static inline qd_real qd_mul(qd_real a, qd_real b)
{
    QD_WIDE of_either = a.m <= 0 || b.m <= 0 ? fabs(a.m * b.m) : a.m * fabs(b.v) + fabs(a.v) * b.m;
    return (qd_real){a.v * b.v, of_either + QD_TINY};
}
static inline qd_real qd_div(qd_real a, qd_real b)
{
    QD_WIDE v = a.v / b.v;
    return (qd_real){v, fabs(a.m / b.v) + fabs(v * (b.m / b.v)) + QD_TINY};
}
static inline qd_real qd_neg(qd_real a) { return (qd_real){-a.v, a.m}; }

static inline qd_real qd_fabs(qd_real a) { return (qd_real){fabs(a.v), a.m}; }
static inline qd_real qd_larger(qd_real a, qd_real b, QD_WIDE v)
{
    return (qd_real){v, a.m <= 0 && b.m <= 0 ? -fabs(v) : fmax(fabs(a.m), fabs(b.m))};
}
static inline qd_real qd_fmax(qd_real a, qd_real b) { return qd_larger(a, b, fmax(a.v, b.v)); }
static inline qd_real qd_fmin(qd_real a, qd_real b) { return qd_larger(a, b, fmin(a.v, b.v)); }

static inline qd_real qd_sqrt(qd_real a)
{
    QD_WIDE v = sqrt(a.v);
    return (qd_real){v, v == 0 ? sqrt(qd_carried(a)) : v + qd_carried(a) / (2 * v)};
}
static inline qd_real qd_exp(qd_real a)
{
    QD_WIDE v = exp(a.v);
    return (qd_real){v, v * (1 + qd_carried(a)) + QD_TINY};
}
static inline qd_real qd_log(qd_real a)
{
    QD_WIDE v = log(a.v);
    return (qd_real){v, fabs(v) + fabs(qd_carried(a) / a.v)};
}
static inline qd_real qd_tanh(qd_real a)
{
    QD_WIDE v = tanh(a.v);
    return (qd_real){v, fabs(v) + qd_carried(a)};
}
static inline qd_real qd_sin(qd_real a)
{
    QD_WIDE v = sin(a.v);
    return (qd_real){v, fabs(v) + qd_carried(a)};
}
static inline qd_real qd_cos(qd_real a)
{
    QD_WIDE v = cos(a.v);
    return (qd_real){v, fabs(v) + qd_carried(a)};
}

static inline void qd_add_to(qd_real *a, qd_real b) { *a = qd_add(*a, b); }
static inline void qd_sub_to(qd_real *a, qd_real b) { *a = qd_sub(*a, b); }
static inline void qd_mul_to(qd_real *a, qd_real b) { *a = qd_mul(*a, b); }
static inline void qd_div_to(qd_real *a, qd_real b) { *a = qd_div(*a, b); }

/* What the entry point unpacks: a scalar of the call, and an array that is written. */
static inline qd_real qd_scalar(int64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return qd_exact(v);
}
#define QD_BEGIN(type, array, from, count)                                                                             \
    for (int64_t at = 0; at < (count); at++)                                                                           \
        (array)[at] = (from) ? qd_exact(((const type *)(from))[at]) : (qd_real){NAN, 0}
