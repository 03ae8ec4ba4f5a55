/* What a kernel asks of the OpenMP runtime and of memcpy in an observed run (see behaviour/observed.py).
 *
 * Linked into the copy of a kernel that counts its basic blocks, with --wrap for every name of wrappers.h: calls of a
 * name go through the wrapper here. Each thread counts in a row of its own, which qd_row points to: the counts are exact
 * and threads do not wait for one another's cache lines. qd_trace holds the facts, and then the rows; the runner maps
 * memory of the parent over it. */
#include <stdint.h>

enum { QD_FACTS_BYTES = 4096, QD_ROWS = 64 };

struct qd_facts {
    uint64_t rows;         /* given to threads that took part in a region */
    uint64_t regions;      /* parallel regions */
    uint64_t largest_team; /* threads of the largest team */
    uint64_t nested;       /* regions started by one of several threads that had more than one thread */
    uint64_t tasks;        /* tasks that any thread of the team may run; a loop of tasks counts as two */
    uint64_t dealt_loops;  /* loops and groups of sections that are shared out while they run */
    uint64_t shares;       /* of those */
    uint64_t copied_bytes; /* by memcpy and memmove */
};

/* Names that C cannot spell, so that no kernel defines them. */
extern char qd_trace[] __asm__("qd.trace"); /* defined with the counters */
extern const uint64_t qd_row_counters __asm__("qd.row_counters"); /* counters of a row */
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_active_level(void);

extern _Thread_local uint64_t *qd_row __asm__("qd.row") __attribute__((visibility("hidden")));
_Thread_local uint64_t *qd_row = (uint64_t *)(qd_trace + QD_FACTS_BYTES);
static _Thread_local int has_row;

static struct qd_facts *facts(void)
{
    return (struct qd_facts *)qd_trace;
}

static void add(uint64_t *fact, uint64_t number)
{
    __atomic_fetch_add(fact, number, __ATOMIC_RELAXED);
}

struct body {
    void (*function)(void *);
    void *data;
};

/* The body of a parallel region, with the thread's own row. */
static void enter(void *given)
{
    const struct body *body = given;
    const uint64_t team = (uint64_t)omp_get_num_threads();
    if (!has_row) {
        has_row = 1;
        qd_row = (uint64_t *)(qd_trace + QD_FACTS_BYTES) +
                 (__atomic_fetch_add(&facts()->rows, 1, __ATOMIC_RELAXED) % (QD_ROWS - 1) + 1) * qd_row_counters;
    }
    if (omp_get_thread_num() == 0) {
        uint64_t largest = __atomic_load_n(&facts()->largest_team, __ATOMIC_RELAXED);
        while (team > largest && !__atomic_compare_exchange_n(&facts()->largest_team, &largest, team, 0, __ATOMIC_RELAXED,
                                                              __ATOMIC_RELAXED))
            ;
        add(&facts()->regions, 1);
        add(&facts()->nested, omp_get_active_level() > 1);
    }
    body->function(body->data);
}

/* None of these functions has more than eleven arguments; what is passed beyond a function's own is not looked at. */
#define ARGUMENTS long a, long b, long c, long d, long e, long f, long g, long h, long i, long j, long k
#define PASSED a, b, c, d, e, f, g, h, i, j, k

#define REGION(NAME, DEALT)                                                      \
    long __real_##NAME(ARGUMENTS);                                               \
    long __wrap_##NAME(ARGUMENTS)                                                \
    {                                                                            \
        struct body body = {(void (*)(void *))a, (void *)b};                     \
        add(&facts()->dealt_loops, DEALT);                                       \
        a = (long)enter;                                                         \
        b = (long)&body;                                                         \
        return __real_##NAME(PASSED);                                            \
    }
#define SHARE(NAME, FIRST, BITS)                                                 \
    long __real_##NAME(ARGUMENTS);                                               \
    long __wrap_##NAME(ARGUMENTS)                                                \
    {                                                                            \
        const long share = __real_##NAME(PASSED) & (BITS);                       \
        add(&facts()->dealt_loops, FIRST && omp_get_thread_num() == 0);          \
        add(&facts()->shares, share != 0);                                       \
        return share;                                                            \
    }
#define TASKS(NAME, NUMBER)                                                      \
    long __real_##NAME(ARGUMENTS);                                               \
    long __wrap_##NAME(ARGUMENTS)                                                \
    {                                                                            \
        add(&facts()->tasks, NUMBER);                                            \
        return __real_##NAME(PASSED);                                            \
    }
#define COPY(NAME)                                                               \
    void *__real_##NAME(void *to, const void *from, uint64_t bytes);             \
    void *__wrap_##NAME(void *to, const void *from, uint64_t bytes)              \
    {                                                                            \
        add(&facts()->copied_bytes, bytes);                                      \
        return __real_##NAME(to, from, bytes);                                   \
    }
#define DEFERRED ((f & 0xff) != 0) /* the if clause of GOMP_task */

#include "wrappers.h"
