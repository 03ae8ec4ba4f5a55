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
enum { QD_LATE = -1, QD_GONE = -2 };

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

/* Where this thread stands while it waits (-1: anywhere), so that it never sits on the child's first core. */
static cpu_set_t stand_on(int cpu)
{
    cpu_set_t before, here;
    sched_getaffinity(0, sizeof before, &before);
    if (cpu >= 0) {
        CPU_ZERO(&here);
        CPU_SET(cpu, &here);
        sched_setaffinity(0, sizeof here, &here);
    }
    return before;
}

/* Stops every thread of the child and waits until the last one stands: 0 or QD_GONE. */
static int stop(int pid)
{
    siginfo_t info = {0};
    kill(-pid, SIGSTOP);
    while (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT) && errno == EINTR)
        ;
    return info.si_code == CLD_STOPPED ? 0 : QD_GONE;
}

/* Has the child stand ready for calls first .. first + count - 1 as block number `block`: 0, QD_LATE or QD_GONE.
 *
 * `freeze`: stop it then. Inputs that are written after this returns, no thread of the child sees before qd_go. */
int qd_arm(struct qd_control *control, int pid, uint32_t block, uint32_t first, uint32_t count, int64_t timeout_ns,
           int cpu, int freeze)
{
    const int64_t spin_ns = 300000; /* a wake-up takes 10-100 us */
    const cpu_set_t before = stand_on(cpu);
    control->first = first;
    control->count = count;
    if (!freeze)
        __atomic_store_n(&control->thawed, block, __ATOMIC_RELEASE);
    __atomic_store_n(&control->command, block, __ATOMIC_RELEASE);
    syscall(SYS_futex, &control->command, FUTEX_WAKE, 1, NULL, NULL, 0);
    int failed = await(&control->armed, block, pid, now_ns() + timeout_ns, spin_ns);
    if (!failed && freeze)
        failed = stop(pid);
    sched_setaffinity(0, sizeof before, &before);
    return failed;
}

/* The clock starts when a thawed child is awake, but never later than this after the thaw: a kernel that has seized the
 * runner could compute meanwhile. It takes 30-100 us on a virtual machine; what it takes longer counts as run time. */
enum { QD_THAW_NS = 150000 };

static int64_t thaw(struct qd_control *control, int pid, uint32_t block)
{
    const int64_t latest = now_ns() + QD_THAW_NS;
    __atomic_store_n(&control->thawed, block, __ATOMIC_RELEASE);
    kill(-pid, SIGCONT);
    int64_t now;
    do
        now = now_ns();
    while (now < latest && __atomic_load_n(&control->awake, __ATOMIC_ACQUIRE) != block);
    return now < latest ? now : latest;
}

/* Has the armed child run its block; the time from go to done in nanoseconds by this process's clock, or QD_LATE or
 * QD_GONE. `frozen`: it was stopped when armed.
 *
 * `spin`: spin for the answer (a core is free) rather than sleep (all cores belong to the child; costs one wake-up).
 * `freeze`: stop the child when it says it is done, and the clock after that: whoever says so too early has to be done
 * within the time that counts. */
int64_t qd_go(struct qd_control *control, int pid, uint32_t block, int64_t timeout_ns, int cpu, int spin, int frozen,
              int freeze)
{
    const cpu_set_t before = stand_on(cpu);
    const int64_t start = frozen ? thaw(control, pid, block) : now_ns();
    __atomic_store_n(&control->start, block, __ATOMIC_RELEASE);
    int64_t elapsed = await(&control->done, block, pid, start + timeout_ns, spin ? timeout_ns : 0);
    if (elapsed == 0) {
        if (freeze)
            kill(-pid, SIGSTOP);
        elapsed = now_ns() - start;
    }
    sched_setaffinity(0, sizeof before, &before);
    return elapsed;
}
