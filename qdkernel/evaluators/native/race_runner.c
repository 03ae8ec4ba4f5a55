/* The contained child that is watched for races: runs calls of a plan once, under ThreadSanitizer.
 *
 *   race_runner INPUT_FD OUTPUT_FD PLAN_FD PLAN_BYTES PARENT_PID CPU_S LAYERS CALLS OBJECT SYMBOL LIBRARY_DIR...
 *
 * It is linked with LLVM's OpenMP runtime, which serves GCC's calls (GOMP_*) as well; that runtime loads Archer, which
 * tells the sanitizer of forks, joins, barriers and tasks. The sanitizer maps terabytes of address space, so memory is
 * limited by the parent, which watches it. Reports go to standard error. Exit status: 0 for all calls done. */
#define _GNU_SOURCE
#include "jail.h"
#include "plan.h"
#include "protocol.h"
#include "seccomp.h"

#include "call.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int omp_get_max_threads(void);
extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);

static void qd_fail(const char *what, const char *why)
{
    fprintf(stderr, "race_runner: %s: %s\n", what, why ? why : strerror(errno));
    _exit(90);
}

static void nothing(void *data)
{
    (void)data;
}

/* Readable: the candidate, this program, libraries, and what the runtimes read of processors and of this process. */
static void enter_landlock(const char *object, char **libraries)
{
    static const char *const system[] = {"/usr/lib", "/lib", "/lib64", "/proc/self", "/proc/cpuinfo", "/sys/devices"};
    const uint64_t look = QD_FS_READ_FILE | QD_FS_READ_DIR;
    long abi;
    int ruleset = qd_landlock_begin(&abi, 0);
    int failed = ruleset < 0 || qd_landlock_permit(ruleset, abi, object, QD_FS_READ_FILE) ||
                 qd_landlock_permit(ruleset, abi, "/proc/self/exe", QD_FS_READ_FILE);
    for (size_t i = 0; i < sizeof system / sizeof *system; i++)
        if (!failed && qd_landlock_permit(ruleset, abi, system[i], look))
            failed = qd_landlock_permit(ruleset, abi, system[i], QD_FS_READ_FILE); /* a plain file has no directory rights */
    for (; !failed && *libraries; libraries++)
        failed = qd_landlock_permit(ruleset, abi, *libraries, look);
    if (failed || qd_landlock_enforce(ruleset))
        qd_fail("Landlock", NULL);
}

static void enter_limits(unsigned long cpu_s)
{
    qd_limit(RLIMIT_CPU, cpu_s);
    qd_limit(RLIMIT_FSIZE, 0);
    qd_limit(RLIMIT_CORE, 0);
    qd_limit(RLIMIT_NOFILE, 64);
    qd_limit(RLIMIT_MEMLOCK, 0);
    qd_limit(RLIMIT_MSGQUEUE, 0);
}

int main(int argc, char **argv)
{
    if (argc < 11)
        return 92;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != atoi(argv[5])) /* the parent died before the line above */
        return 93;
    const int data_fd[] = {atoi(argv[1]), atoi(argv[2])}, plan_fd = atoi(argv[3]);
    const struct qd_plan *plan = qd_map(plan_fd, strtoul(argv[4], NULL, 10), PROT_READ);
    char *base, **address = qd_map_segments(plan, data_fd, &base);
    const union qd_slot *slots = qd_resolve_arguments(plan, address);
    const unsigned long layers = strtoul(argv[7], NULL, 10);
    close(data_fd[0]), close(data_fd[1]), close(plan_fd);

    omp_get_max_threads(); /* the runtime registers itself in shared memory, which is forbidden later */
    if (layers & QD_LIMITS)
        enter_limits(strtoul(argv[6], NULL, 10));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        qd_fail("no-new-privileges", NULL);
    if (layers & QD_LANDLOCK) /* before threads are started, as it holds for those that a thread starts later */
        enter_landlock(argv[9], argv + 11);
    GOMP_parallel(nothing, NULL, 0, 0); /* starts the threads; the runtime looks at processors */
    if ((layers & QD_SECCOMP) && qd_seccomp(QD_STAGE_WATCH))
        qd_fail("seccomp", NULL);

    void *library = dlopen(argv[9], RTLD_NOW | RTLD_LOCAL);
    if (!library)
        qd_fail("loading", dlerror());
    void (*kernel)(void);
    *(void **)&kernel = dlsym(library, argv[10]);
    if (!kernel)
        qd_fail("loading", dlerror());
    if ((layers & QD_SECCOMP) && qd_seal_code())
        qd_fail("seccomp, executable memory", NULL);
    const uint32_t calls = (uint32_t)strtoul(argv[8], NULL, 10);
    for (uint32_t call = 0; call < calls; call++)
        qd_call(kernel, slots + (size_t)call * plan->parameters);
    _exit(0);
}
