/* Where a kernel's first thread is, looked at four times in a millisecond while it is called (pipeline/observation/time_sampling.py).
 *
 * A timer of wall time needs no call of the kernel's and no permission in the run: it is set before the filters, and
 * its handler only writes into this memory. A kernel could write there as well; the parent makes a sentence of it. */
#ifndef QD_SAMPLES_H
#define QD_SAMPLES_H

#include "processor.h"
#include "protocol.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <sys/time.h>

enum { QD_SAMPLES = 2046, QD_SAMPLE_US = 250 };

struct qd_samples {
    uint64_t base;  /* that the kernel's object is loaded at */
    uint64_t taken; /* of the places below */
    uint64_t places[QD_SAMPLES];
};

static struct qd_samples *qd_sampled;
static const struct qd_control *qd_sampled_run;

static void qd_sample(int number, siginfo_t *info, void *context)
{
    const uint32_t block = __atomic_load_n(&qd_sampled_run->start, __ATOMIC_RELAXED);
    (void)number, (void)info;
    if (block == 0 || block != __atomic_load_n(&qd_sampled_run->command, __ATOMIC_RELAXED) ||
        block == __atomic_load_n(&qd_sampled_run->done, __ATOMIC_RELAXED))
        return; /* no call is running */
    const uint64_t at = __atomic_fetch_add(&qd_sampled->taken, 1, __ATOMIC_RELAXED);
    if (at < QD_SAMPLES)
        qd_sampled->places[at] = qd_place_of(context);
}

/* Starts the timer; 0 on success. */
static int qd_start_sampling(struct qd_samples *samples, const struct qd_control *control)
{
    struct sigaction action = {.sa_sigaction = qd_sample, .sa_flags = SA_SIGINFO | SA_RESTART};
    const struct itimerval timer = {{0, QD_SAMPLE_US}, {0, QD_SAMPLE_US}};
    qd_sampled = samples;
    qd_sampled_run = control;
    return sigaction(SIGALRM, &action, NULL) || setitimer(ITIMER_REAL, &timer, NULL);
}

/* Notes where the kernel's object lies; 0 on success. */
static int qd_note_base(struct qd_samples *samples, void *library)
{
    struct link_map *map;
    if (dlinfo(library, RTLD_DI_LINKMAP, &map))
        return -1;
    samples->base = (uint64_t)map->l_addr;
    return 0;
}

#endif
