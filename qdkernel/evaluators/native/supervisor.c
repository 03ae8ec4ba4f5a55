/* The parent's half of the handshake, and its clock. Trusted; loaded into the supervising worker. */
#define _GNU_SOURCE
#include "protocol.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int has_exited(int pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid;
}

/* Waits until *word == wanted: 0, or QD_LATE, QD_GONE. Spins for `spin_ns`, then sleeps, looking up now and then. */
enum { QD_LATE = -1, QD_GONE = -2, QD_GONE_UNARMED = -3 };

static int await(uint32_t *word, uint32_t wanted, int pid, int64_t deadline_ns, int64_t spin_ns)
{
    const int64_t spin_until = now_ns() + spin_ns;
    const struct timespec look_up = {0, 5000000};
    uint32_t seen;
    while ((seen = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != wanted) {
        int64_t t = now_ns();
        if (t > deadline_ns)
            return has_exited(pid) ? QD_GONE : QD_LATE;
        if (t < spin_until)
            continue;
        if (syscall(SYS_futex, word, FUTEX_WAIT, seen, &look_up, NULL, 0) && errno == ETIMEDOUT && has_exited(pid) &&
            __atomic_load_n(word, __ATOMIC_ACQUIRE) != wanted)
            return QD_GONE;
    }
    return 0;
}

/* Has the child run calls first .. first + count - 1 as block number `block`; the time from go to done in
 * nanoseconds by this process's clock, or QD_LATE, QD_GONE, QD_GONE_UNARMED (it died before the go: the kernel had no
 * part in it).
 *
 * `cpu`: where this thread stands meanwhile (-1: anywhere), so that it never sits on the child's first core. `spin`:
 * spin for the answer (a core is free) rather than sleep (all cores belong to the child; costs one wake-up).
 * `freeze`: stop the child when it says it is done, and the clock after that: whoever says so too early has to be done
 * within the time that counts. */
int64_t qd_block(struct qd_control *control, int pid, uint32_t block, uint32_t first, uint32_t count,
                 int64_t timeout_ns, int cpu, int spin, int freeze)
{
    cpu_set_t before, here;
    sched_getaffinity(0, sizeof before, &before);
    if (cpu >= 0) {
        CPU_ZERO(&here);
        CPU_SET(cpu, &here);
        sched_setaffinity(0, sizeof here, &here);
    }
    const int64_t arm_spin_ns = 300000; /* a wake-up takes 10-100 us */
    int64_t deadline = now_ns() + timeout_ns, elapsed;
    control->first = first;
    control->count = count;
    __atomic_store_n(&control->command, block, __ATOMIC_RELEASE);
    syscall(SYS_futex, &control->command, FUTEX_WAKE, 1, NULL, NULL, 0);
    elapsed = await(&control->armed, block, pid, deadline, arm_spin_ns);
    if (elapsed == QD_GONE)
        elapsed = QD_GONE_UNARMED;
    if (elapsed == 0) {
        int64_t start = now_ns();
        __atomic_store_n(&control->start, block, __ATOMIC_RELEASE);
        elapsed = await(&control->done, block, pid, deadline, spin ? timeout_ns : 0);
        if (elapsed == 0) {
            if (freeze)
                kill(-pid, SIGSTOP);
            elapsed = now_ns() - start;
        }
    }
    sched_setaffinity(0, sizeof before, &before);
    return elapsed;
}
