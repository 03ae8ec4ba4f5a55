/* The parent's half of the handshake, and its clock. Trusted; loaded into the supervising worker. */
#define _GNU_SOURCE
#include "protocol.h"

#include <dirent.h>
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
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

/* Waits until the last thread of a child that was sent SIGSTOP stands: 0 or QD_GONE. */
static int await_stop(int pid)
{
    siginfo_t info = {0};
    while (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT) && errno == EINTR)
        ;
    return info.si_code == CLD_STOPPED ? 0 : QD_GONE;
}

/* Nanoseconds that the threads of the child have waited for a processor so far, altogether; 0 where Linux does not
 * tell (Documentation/scheduler/sched-stats.rst: the second field of schedstat). A wait counts once it is over. */
static int64_t run_delay_ns(int pid)
{
    char path[64];
    int64_t total = 0;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        char name[sizeof path + sizeof task->d_name];
        long long ran, waited;
        if (task->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s/schedstat", path, task->d_name);
        FILE *file = fopen(name, "re");
        if (file && fscanf(file, "%lld %lld", &ran, &waited) == 2)
            total += waited;
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return total;
}

/* The deadline of getting ready is that of the block and QD_READY_NS: on a busy host waking up may take as long. */
enum { QD_READY_NS = 1000000000 };

static int arm(struct qd_control *control, int pid, uint32_t block, uint32_t first, uint32_t count, int64_t timeout_ns)
{
    const int64_t spin_ns = 300000; /* a wake-up takes 10-100 us */
    control->first = first;
    control->count = count;
    __atomic_store_n(&control->command, block, __ATOMIC_RELEASE);
    syscall(SYS_futex, &control->command, FUTEX_WAKE, 1, NULL, NULL, 0);
    int failed = await(&control->armed, block, pid, now_ns() + timeout_ns + QD_READY_NS, spin_ns);
    return failed == QD_GONE ? QD_GONE_UNARMED : failed;
}

/* `delayed_ns`: run_delay_ns from before the go; becomes what it grew by until the child was done. */
static int64_t go(struct qd_control *control, int pid, uint32_t block, int64_t start, int64_t timeout_ns, int spin,
                  int freeze, int64_t *delayed_ns)
{
    __atomic_store_n(&control->start, block, __ATOMIC_RELEASE);
    int64_t elapsed = await(&control->done, block, pid, start + timeout_ns, spin ? timeout_ns : 0);
    if (elapsed == 0) {
        if (freeze)
            kill(-pid, SIGSTOP);
        elapsed = now_ns() - start;
        if (freeze) {
            *delayed_ns = run_delay_ns(pid) - *delayed_ns;
            await_stop(pid);
        }
    }
    return elapsed;
}

/* Has the child run calls first .. first + count - 1 as block number `block`; the time from go to done in
 * nanoseconds by this process's clock, or QD_LATE, QD_GONE, QD_GONE_UNARMED (it died before the go: the kernel had no
 * part in it).
 *
 * `cpu`: where this thread stands meanwhile. `spin`: spin for the answer (a core is free) rather than sleep (all cores
 * belong to the child; costs one wake-up). `freeze`: stop the child when it says it is done, and the clock after that:
 * whoever says so too early has to be done within the time that counts. Every thread stands when this returns, and
 * `delayed_ns` is how long its threads waited for a processor in the block, altogether. */
int64_t qd_block(struct qd_control *control, int pid, uint32_t block, uint32_t first, uint32_t count,
                 int64_t timeout_ns, int cpu, int spin, int freeze, int64_t *delayed_ns)
{
    const cpu_set_t before = stand_on(cpu);
    __atomic_store_n(&control->thawed, block, __ATOMIC_RELEASE);
    int64_t elapsed = arm(control, pid, block, first, count, timeout_ns);
    if (elapsed == 0) {
        *delayed_ns = freeze ? run_delay_ns(pid) : 0;
        elapsed = go(control, pid, block, now_ns(), timeout_ns, spin, freeze, delayed_ns);
    }
    sched_setaffinity(0, sizeof before, &before);
    return elapsed;
}

/* The same in two halves, for inputs that come in between. First: has the child stand ready, and stops it: 0 or a
 * negative code. */
int64_t qd_freeze(struct qd_control *control, int pid, uint32_t block, uint32_t first, uint32_t count,
                  int64_t timeout_ns, int cpu)
{
    const cpu_set_t before = stand_on(cpu);
    int failed = arm(control, pid, block, first, count, timeout_ns);
    if (!failed) {
        kill(-pid, SIGSTOP);
        failed = await_stop(pid);
    }
    sched_setaffinity(0, sizeof before, &before);
    return failed;
}

/* Second: lets it go on and run its block. The clock starts when it is awake, but never later than this after it was
 * let go on: a kernel that has seized the runner could compute meanwhile. */
enum { QD_THAW_NS = 50000 };

int64_t qd_thaw(struct qd_control *control, int pid, uint32_t block, int64_t timeout_ns, int cpu, int spin,
                int64_t *delayed_ns)
{
    const cpu_set_t before = stand_on(cpu);
    *delayed_ns = run_delay_ns(pid);
    const int64_t latest = now_ns() + QD_THAW_NS;
    __atomic_store_n(&control->thawed, block, __ATOMIC_RELEASE);
    kill(-pid, SIGCONT);
    int64_t now;
    do
        now = now_ns();
    while (now < latest && __atomic_load_n(&control->awake, __ATOMIC_ACQUIRE) != block);
    const int64_t elapsed = go(control, pid, block, now < latest ? now : latest, timeout_ns, spin, 1, delayed_ns);
    sched_setaffinity(0, sizeof before, &before);
    return elapsed;
}
