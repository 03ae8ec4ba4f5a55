/* The contained child: maps what the plan says, locks itself in, loads the candidate, runs blocks of calls on demand.
 *
 *   runner INPUT_FD OUTPUT_FD CONTROL_FD PLAN_FD PLAN_BYTES PARENT_PID MEMORY_MB CPU_S LAYERS OBJECT SYMBOL
 *          TRACE_FD TRACE_BYTES SAMPLES_FD
 *
 * TRACE_FD: memory in place of the counters of a kernel that counts (native/trace.c); -1 for any other.
 * SAMPLES_FD: memory for the places that the first thread is seen at (native/samples.h); -1 where it is not looked at.
 * LAYERS: bits of enum qd_layer to put in force; 0 for the trusted baseline. Built once per prototype: call.h holds
 * qd_call, generated from the problem's declaration. Exit status is for messages only, the parent judges outputs. */
#define _GNU_SOURCE
#include "jail.h"
#include "plan.h"
#include "processor.h"
#include "protocol.h"
#include "samples.h"
#include "seccomp.h"

#include "call.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct qd_control *control;

static uintptr_t stack_low, stack_high; /* of the first thread */

/* Leaves what the access was that kills the process. The handler is used up by then: the instruction is executed again,
 * and its second fault is fatal. All that it writes, a kernel could write itself; the parent repeats it in words only. */
static void note_fault(int number, siginfo_t *info, void *context)
{
    const struct qd_access access = qd_access_of(context);
    const uintptr_t address = (uintptr_t)info->si_addr, stack = access.stack;
    const int known = info->si_code > 0 && info->si_code != SI_KERNEL;
    const int beyond = stack_low <= stack_high && stack < stack_low && stack_low - stack < (uintptr_t)1 << 40;
    const int close = address - stack + 65536 < 131072; /* any other thread's: where a push, call or probe goes */
    uint32_t fault = QD_FAULT;
    (void)number;
    if (known && access.write)
        fault |= QD_FAULT_WRITE;
    if (known && access.code)
        fault |= QD_FAULT_CODE;
    else if (known && (close || (beyond && address < stack_high)))
        fault |= QD_FAULT_STACK;
    if (!known)
        fault |= QD_FAULT_PROTECTION;
    control->fault_address = known ? address : 0;
    __atomic_store_n(&control->fault, fault, __ATOMIC_RELEASE);
}

static void watch_faults(void)
{
    const size_t bytes = 16384; /* a full stack cannot hold the handler's frame */
    void *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const stack_t other = {.ss_sp = stack, .ss_size = bytes};
    struct sigaction action = {.sa_sigaction = note_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND};
    struct rlimit limit;
    stack_high = (uintptr_t)__builtin_frame_address(0);
    if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < stack_high) {
        stack_low = stack_high - limit.rlim_cur;
        control->stack_kib = (uint32_t)(limit.rlim_cur >> 10);
    }
    if (stack == MAP_FAILED || sigaltstack(&other, NULL))
        return; /* then a crash has no description */
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

static void qd_fail(const char *what, const char *why)
{
    snprintf(control->message, sizeof control->message, "%s: %s", what, why ? why : strerror(errno));
    control->state = QD_FAILED;
    _exit(90);
}

/* Only the candidate's own file stays readable; no network, no signals to other processes. */
static void enter_landlock(const char *object)
{
    long abi;
    int ruleset = qd_landlock_begin(&abi, 0);
    if (ruleset < 0 || qd_landlock_permit(ruleset, abi, object, QD_FS_READ_FILE) || qd_landlock_enforce(ruleset))
        qd_fail("Landlock", NULL);
}

static void enter_limits(unsigned long memory_mb, unsigned long cpu_s)
{
    qd_limit(RLIMIT_AS, (rlim_t)memory_mb << 20);
    qd_limit(RLIMIT_CPU, cpu_s);
    qd_limit(RLIMIT_FSIZE, 0);
    qd_limit(RLIMIT_CORE, 0);
    qd_limit(RLIMIT_NOFILE, 16);
    qd_limit(RLIMIT_MEMLOCK, 0);
    qd_limit(RLIMIT_MSGQUEUE, 0);
}

/* Has the threads of the OpenMP pool awake. A kernel's own untimed call would do it too, but could compute the timed
 * calls of its block ahead: their inputs are in place. A library has threads of its own, which a pool beside disturbs. */
static void wake_pool(void)
{
#pragma omp parallel
    __asm__ volatile("");
}

/* Has each thread of the pool read the arrays of the calls, so that they are in the caches of its core. */
static void read_arrays(const struct qd_plan *plan, char **address, uint32_t first, uint32_t end)
{
    const struct qd_segment *segment = (const struct qd_segment *)(plan + 1);
    const struct qd_argument *argument = (const struct qd_argument *)(segment + plan->segments);
#pragma omp parallel
    for (size_t i = (size_t)first * plan->parameters; i < (size_t)end * plan->parameters; i++) {
        const int64_t at = argument[i].segment;
        for (uint64_t byte = 0; at >= 0 && byte < segment[at].bytes / segment[at].pieces; byte += 64)
            (void)*(const volatile char *)(address[at] + byte);
    }
}

/* The parent answers within microseconds, yet yield if it cannot. */
static void spin_until(const uint32_t *word, uint32_t wanted)
{
    for (unsigned spins = 1; __atomic_load_n(word, __ATOMIC_ACQUIRE) != wanted; spins++) {
        qd_pause();
        if (spins % 4096 == 0)
            sched_yield();
    }
}

static void serve(void (*kernel)(void), const struct qd_plan *plan, char **address, const union qd_slot *slots,
                  int wakes_pool)
{
    const uint32_t parameters = plan->parameters;
    const uint64_t clean = qd_float_control();
    for (uint32_t last = 0;;) {
        uint32_t block;
        while ((block = __atomic_load_n(&control->command, __ATOMIC_ACQUIRE)) == last)
            syscall(SYS_futex, &control->command, FUTEX_WAIT, last, NULL, NULL, 0);
        const uint32_t first = control->first, end = first + control->count;
        control->progress = 0;
        /* Inputs that come later, while this process is stopped, are read when it goes on. */
        const int late = __atomic_load_n(&control->thawed, __ATOMIC_ACQUIRE) != block;
        if (wakes_pool)
            wake_pool();
        if (control->cached && !late)
            read_arrays(plan, address, first, end);
        /* Awake and ready before the clock starts. */
        __atomic_store_n(&control->armed, block, __ATOMIC_RELEASE);
        syscall(SYS_futex, &control->armed, FUTEX_WAKE, 1, NULL, NULL, 0);
        spin_until(&control->thawed, block);
        if (control->cached && late)
            read_arrays(plan, address, first, end);
        __atomic_store_n(&control->awake, block, __ATOMIC_RELEASE);
        spin_until(&control->start, block);
        for (uint32_t call = first; call < end; call++) {
            qd_call(kernel, slots + (size_t)call * parameters);
            if (qd_float_control() != clean) {
                control->float_control = 1;
                qd_restore_float_control(clean);
            }
            control->progress++;
        }
        last = block;
        __atomic_store_n(&control->done, block, __ATOMIC_RELEASE);
        syscall(SYS_futex, &control->done, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

static void map_trace(void *library, int fd, size_t bytes)
{
    void *counters = dlsym(library, "qd.trace");
    if (!counters || mmap(counters, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
        qd_fail("mapping the counters", NULL);
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 15)
        return 92;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != atoi(argv[6])) /* the parent died before the line above */
        return 93;
    const int data_fd[] = {atoi(argv[1]), atoi(argv[2])}, control_fd = atoi(argv[3]), plan_fd = atoi(argv[4]);
    control = qd_map(control_fd, 4096, PROT_READ | PROT_WRITE);
    const struct qd_plan *plan = qd_map(plan_fd, strtoul(argv[5], NULL, 10), PROT_READ);
    char *base, **address = qd_map_segments(plan, data_fd, &base);
    const union qd_slot *slots = qd_resolve_arguments(plan, address);
    control->base = (uint64_t)(uintptr_t)base;
    const unsigned long layers = strtoul(argv[9], NULL, 10);
    const char *object = argv[10];
    const int trace_fd = atoi(argv[12]), samples_fd = atoi(argv[14]);

    struct qd_samples *samples = NULL;
    if (samples_fd >= 0) {
        samples = qd_map(samples_fd, sizeof *samples, PROT_READ | PROT_WRITE);
        close(samples_fd);
        if (qd_start_sampling(samples, control))
            qd_fail("the timer of the samples", NULL);
    }
    close(data_fd[0]), close(data_fd[1]), close(control_fd), close(plan_fd);
    if (layers) /* a kernel; a library may have handlers of its own. Later no handler can be installed */
        watch_faults();
    if (layers & QD_LIMITS) {
        prctl(PR_SET_DUMPABLE, 0);
        enter_limits(strtoul(argv[7], NULL, 10), strtoul(argv[8], NULL, 10));
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        qd_fail("no-new-privileges", NULL);
    if (layers & QD_LANDLOCK)
        enter_landlock(object);
    if ((layers & QD_SECCOMP) && qd_seccomp(QD_STAGE_LOAD))
        qd_fail("seccomp, first stage", NULL);
    control->layers = (uint32_t)layers;
    control->state = QD_LOADING;

    void *library = dlopen(object, RTLD_NOW | RTLD_LOCAL); /* constructors run locked in */
    if (!library)
        qd_fail("loading", dlerror());
    void (*kernel)(void);
    *(void **)&kernel = dlsym(library, argv[11]);
    if (!kernel)
        qd_fail("loading", dlerror());
    if (trace_fd >= 0)
        map_trace(library, trace_fd, strtoul(argv[13], NULL, 10));
    if (samples && qd_note_base(samples, library))
        qd_fail("finding the kernel", dlerror());
    if ((layers & QD_SECCOMP) && qd_seccomp(QD_STAGE_RUN))
        qd_fail("seccomp, second stage", NULL);
    control->state = QD_READY;
    /* Not for a library, nor where a kernel is observed: then processor time would not tell whether it is serial. */
    serve(kernel, plan, address, slots, layers != 0 && trace_fd < 0);
}
