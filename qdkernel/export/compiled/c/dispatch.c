#include "dispatch.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int verbose;
static enum qd_level available;

/* QDKERNEL_ISA=portable, sse2, avx2 or avx512 in the environment lowers what the CPU is taken to have. */
__attribute__((constructor)) static void look_at_cpu(void)
{
    static const char *const names[] = {"portable", "sse2", "avx2", "avx512"};
    const char *asked = getenv("QDKERNEL_ISA");
    verbose = getenv("QDKERNEL_VERBOSE") != NULL;
#if defined(__x86_64__)
    __builtin_cpu_init();
    available = __builtin_cpu_supports("x86-64-v4") ? QD_AVX512 : __builtin_cpu_supports("x86-64-v3") ? QD_AVX2 : QD_SSE2;
#endif
    for (int level = QD_PORTABLE; asked && level < (int)available; level++)
        if (strcmp(asked, names[level]) == 0)
            available = (enum qd_level)level;
}

/* The product of the ratios of the sizes' numbers, the greater over the smaller: their distance on logarithmic scales. */
static double distance(const double *a, const double *b, int numbers)
{
    double product = 1;
    for (int i = 0; i < numbers; i++) {
        double x = a[i] < 1 ? 1 : a[i], y = b[i] < 1 ? 1 : b[i];
        product *= x > y ? x / y : y / x;
    }
    return product;
}

struct qd_kernel *qd_choose(const struct qd_choice *choices, const double *size, int numbers)
{
    while (choices->level > available)
        choices++;
    const struct qd_choice *best = choices;
    double least = distance(best->size, size, numbers);
    for (const struct qd_choice *other = best; other->level != QD_PORTABLE && (++other)->level == best->level;) {
        double far = distance(other->size, size, numbers);
        if (far < least) {
            least = far;
            best = other;
        }
    }
    return best->kernel;
}

int qd_enter(struct qd_kernel *kernel, const char *function)
{
    if (verbose && !__atomic_exchange_n(&kernel->told, 1, __ATOMIC_RELAXED))
        fprintf(stderr, "qdkernel: %s runs %s\n", function, kernel->name);
    if (!kernel->reentrant)
        pthread_mutex_lock(&kernel->lock);
    int before = omp_get_max_threads();
    if (before > kernel->threads)
        omp_set_num_threads(kernel->threads);
    return before;
}

void qd_leave(struct qd_kernel *kernel, int threads_before)
{
    if (threads_before > kernel->threads)
        omp_set_num_threads(threads_before);
    if (!kernel->reentrant)
        pthread_mutex_unlock(&kernel->lock);
}
