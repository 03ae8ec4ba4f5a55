/* The system calls left to a kernel, in two stages.
 *
 * While the candidate is being loaded it may also map and read files (Landlock leaves it one: itself); once loaded,
 * only what memory allocation and the OpenMP runtime need. Both stages forbid new processes, sockets, signals,
 * writable files and executable memory that is not the candidate's own. A kernel that is watched for races stays in a
 * stage of its own: that of loading, and writing to standard error, as the sanitizer reads files for its report. */
#ifndef QD_SECCOMP_H
#define QD_SECCOMP_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define QD_AUDIT_ARCH AUDIT_ARCH_X86_64
#define QD_OWN_CALLS SYS_arch_prctl
#define QD_OWN_LOADING_CALLS SYS_readlink
#elif defined(__aarch64__)
#define QD_AUDIT_ARCH AUDIT_ARCH_AARCH64
#define QD_OWN_CALLS SYS_getcpu /* no call that x86-64 lacks */
#define QD_OWN_LOADING_CALLS SYS_readlinkat
#else
#error "expected x86-64 or aarch64: the filter names system calls by number"
#endif

enum qd_stage { QD_STAGE_LOAD, QD_STAGE_RUN, QD_STAGE_WATCH };

struct qd_filter {
    struct sock_filter code[300];
    unsigned short length;
};

static void qd_emit(struct qd_filter *filter, unsigned short code, uint32_t k, unsigned char yes, unsigned char no)
{
    filter->code[filter->length++] = (struct sock_filter){code, yes, no, k};
}

static void qd_load(struct qd_filter *filter, size_t offset)
{
    qd_emit(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void qd_return(struct qd_filter *filter, uint32_t action)
{
    qd_emit(filter, BPF_RET | BPF_K, action, 0, 0);
}

#define QD_CALL_NUMBER offsetof(struct seccomp_data, nr)
#define QD_ARGUMENT(i) (offsetof(struct seccomp_data, args) + 8 * (i)) /* low word: little-endian */

/* if (call == number) return action; */
static void qd_rule(struct qd_filter *filter, uint32_t number, uint32_t action)
{
    qd_emit(filter, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
    qd_return(filter, action);
}

/* if (call == number) return (argument & mask) == wanted ? allow : errno; */
static void qd_masked_rule(struct qd_filter *filter, uint32_t number, int argument, uint32_t mask, uint32_t wanted,
                           int error)
{
    qd_emit(filter, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 5);
    qd_load(filter, QD_ARGUMENT(argument));
    qd_emit(filter, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
    qd_emit(filter, BPF_JMP | BPF_JEQ | BPF_K, wanted, 0, 1);
    qd_return(filter, SECCOMP_RET_ALLOW);
    qd_return(filter, SECCOMP_RET_ERRNO | (uint32_t)error);
}

/* if (call == mmap) return anonymous, private and not executable ? allow : EPERM; */
static void qd_mmap_rule(struct qd_filter *filter)
{
    qd_emit(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 8);
    qd_load(filter, QD_ARGUMENT(2));
    qd_emit(filter, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 4, 0);
    qd_load(filter, QD_ARGUMENT(3));
    qd_emit(filter, BPF_ALU | BPF_AND | BPF_K, MAP_ANONYMOUS | MAP_SHARED, 0, 0);
    qd_emit(filter, BPF_JMP | BPF_JEQ | BPF_K, MAP_ANONYMOUS, 0, 1);
    qd_return(filter, SECCOMP_RET_ALLOW);
    qd_return(filter, SECCOMP_RET_ERRNO | EPERM);
    qd_load(filter, QD_CALL_NUMBER); /* never reached; keeps the jump above in step */
}

static int qd_install(struct qd_filter *filter)
{
    struct sock_fprog program = {filter->length, filter->code};
    /* TSYNC: threads that a constructor started are caught as well. SPEC_ALLOW: without it kernels before 5.16 slow
     * the process down with speculation mitigations, which would be timed. */
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                        SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program);
}

/* Installs a stage's filter on every thread of the process; 0 on success. */
static int qd_seccomp(enum qd_stage stage)
{
    static struct qd_filter filter; /* too large for a small stack */
    filter.length = 0;
    qd_load(&filter, offsetof(struct seccomp_data, arch));
    qd_emit(&filter, BPF_JMP | BPF_JEQ | BPF_K, QD_AUDIT_ARCH, 1, 0);
    qd_return(&filter, SECCOMP_RET_KILL_PROCESS);
    qd_load(&filter, QD_CALL_NUMBER);
#if defined(__x86_64__)
    qd_emit(&filter, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1); /* the x32 ABI */
    qd_return(&filter, SECCOMP_RET_KILL_PROCESS);
#endif

    static const int allowed[] = {
        SYS_futex, SYS_sched_yield, SYS_munmap, SYS_madvise, SYS_brk, SYS_mremap, SYS_exit, SYS_exit_group,
        SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_clock_getres, SYS_gettimeofday, SYS_getpid,
        SYS_gettid, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_set_robust_list, SYS_rseq,
        SYS_set_tid_address, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_getcpu, SYS_restart_syscall,
        SYS_getrandom, SYS_getrusage, QD_OWN_CALLS,
    };
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        qd_rule(&filter, (uint32_t)allowed[i], SECCOMP_RET_ALLOW);

    /* Threads, never processes. clone3 hides its flags behind a pointer; told ENOSYS, glibc falls back to clone. */
    qd_rule(&filter, 435 /* clone3 */, SECCOMP_RET_ERRNO | ENOSYS);
    const uint32_t thread = CLONE_VM | CLONE_THREAD;
    const uint32_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                CLONE_NEWPID | CLONE_NEWNET;
    qd_masked_rule(&filter, SYS_clone, 0, thread | namespaces, thread, EPERM);
    qd_load(&filter, QD_CALL_NUMBER);

    if (stage == QD_STAGE_WATCH) {
        qd_masked_rule(&filter, SYS_write, 0, 0xffffffff, STDERR_FILENO, EBADF);
        qd_load(&filter, QD_CALL_NUMBER);
    }
    if (stage != QD_STAGE_RUN) {
        static const int loading[] = {SYS_read, SYS_pread64, SYS_fstat, SYS_newfstatat, SYS_close, SYS_mprotect,
                                      SYS_mmap, SYS_seccomp, SYS_prlimit64, SYS_getcwd,
                                      QD_OWN_LOADING_CALLS};
        for (size_t i = 0; i < sizeof loading / sizeof *loading; i++)
            qd_rule(&filter, (uint32_t)loading[i], SECCOMP_RET_ALLOW);
        qd_masked_rule(&filter, SYS_openat, 2, O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | 020000000 /* O_TMPFILE */,
                       O_RDONLY, EACCES);
        qd_load(&filter, QD_CALL_NUMBER);
    } else {
        qd_mmap_rule(&filter);
        qd_masked_rule(&filter, SYS_mprotect, 2, PROT_EXEC, 0, EPERM);
        qd_load(&filter, QD_CALL_NUMBER);
        /* Calls that glibc makes on honest paths and takes a refusal of. */
        static const struct { int number, error; } polite[] = {
            {SYS_rt_sigaction, EPERM}, {SYS_openat, EACCES}, {SYS_prlimit64, EPERM}, {SYS_close, EBADF},
            {SYS_newfstatat, EACCES}, {SYS_fstat, EBADF}, {SYS_write, EBADF}, {SYS_sched_setscheduler, EPERM},
            {SYS_ioctl, ENOTTY},
        };
        for (size_t i = 0; i < sizeof polite / sizeof *polite; i++)
            qd_rule(&filter, (uint32_t)polite[i].number, SECCOMP_RET_ERRNO | (uint32_t)polite[i].error);
    }
    qd_return(&filter, SECCOMP_RET_ERRNO | EPERM);

    return qd_install(&filter);
}

/* No executable memory from here on, on top of a stage's filter; 0 on success. */
__attribute__((unused)) static int qd_seal_code(void)
{
    struct qd_filter filter = {.length = 0};
    qd_load(&filter, QD_CALL_NUMBER);
    qd_masked_rule(&filter, SYS_mmap, 2, PROT_EXEC, 0, EPERM);
    qd_load(&filter, QD_CALL_NUMBER);
    qd_masked_rule(&filter, SYS_mprotect, 2, PROT_EXEC, 0, EPERM);
    qd_return(&filter, SECCOMP_RET_ALLOW);
    return qd_install(&filter);
}

#endif
