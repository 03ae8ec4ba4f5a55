/* How a function of this library chooses among its kernels: by what the CPU has, then by the size of the call. */
#ifndef QD_DISPATCH_H
#define QD_DISPATCH_H

#include <limits.h>
#include <pthread.h>

#define QD_PUBLIC __attribute__((visibility("default")))
#define QD_MOST_NUMBERS 8 /* of a size */

/* Instruction sets that a kernel was compiled for, from the least: plain x86-64 or any other CPU, x86-64-v3, x86-64-v4. */
enum qd_level { QD_PORTABLE, QD_SSE2, QD_AVX2, QD_AVX512 };

struct qd_kernel {
    void (*function)(void);
    const char *name;
    int threads;   /* it was measured with; it is given no more */
    int reentrant; /* threads may call it at the same time */
    pthread_mutex_t lock;
    int told;
};

struct qd_choice {
    enum qd_level level;
    struct qd_kernel *kernel;
    double size[QD_MOST_NUMBERS]; /* the kernel was the fastest at this size */
};

/* The kernel for a call: of the best level that this CPU has, the one whose size is nearest. The list descends by level
   and ends with a portable kernel. */
struct qd_kernel *qd_choose(const struct qd_choice *choices, const double *size, int numbers);

/* Before and after a call of the kernel; the first returns what the second is given. */
int qd_enter(struct qd_kernel *kernel, const char *function);
void qd_leave(struct qd_kernel *kernel, int threads_before);

#endif
