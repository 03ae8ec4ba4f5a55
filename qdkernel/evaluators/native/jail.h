/* The layers that contain untrusted code: resource limits, Landlock, seccomp. Linux, x86-64 and aarch64. */
#ifndef QD_JAIL_H
#define QD_JAIL_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void qd_limit(int resource, rlim_t value)
{
    struct rlimit limit = {value, value};
    setrlimit(resource, &limit);
}

/* ---- Landlock (Documentation/userspace-api/landlock.rst); numbers here because distribution headers lag ---- */

enum {
    QD_SYS_LANDLOCK_CREATE = 444,
    QD_SYS_LANDLOCK_ADD = 445,
    QD_SYS_LANDLOCK_RESTRICT = 446,
    QD_FS_EXECUTE = 1 << 0,
    QD_FS_WRITE_FILE = 1 << 1,
    QD_FS_READ_FILE = 1 << 2,
    QD_FS_READ_DIR = 1 << 3,
    QD_FS_REMOVE_DIR = 1 << 4,
    QD_FS_REMOVE_FILE = 1 << 5,
    QD_FS_MAKE_DIR = 1 << 7,
    QD_FS_MAKE_REG = 1 << 8,
    QD_FS_MAKE_SYM = 1 << 12,
    QD_FS_TRUNCATE = 1 << 14,
};

struct qd_landlock_ruleset {
    uint64_t filesystem, network, scoped;
};

struct qd_landlock_path {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

static uint64_t qd_landlock_handled(long abi)
{
    return abi >= 5 ? 0xffff : abi >= 3 ? 0x7fff : abi >= 2 ? 0x3fff : 0x1fff;
}

/* A ruleset that forbids every file, TCP port (unless `network`), foreign signal and abstract socket; -1 when the kernel
 * has no Landlock. */
static int qd_landlock_begin(long *abi, int network)
{
    *abi = syscall(QD_SYS_LANDLOCK_CREATE, NULL, 0, 1 /* ask for the version */);
    if (*abi < 1)
        return -1;
    struct qd_landlock_ruleset rules = {qd_landlock_handled(*abi), *abi >= 4 && !network ? 3 : 0, *abi >= 6 ? 3 : 0};
    size_t size = *abi >= 6 ? 24 : *abi >= 4 ? 16 : 8;
    return (int)syscall(QD_SYS_LANDLOCK_CREATE, &rules, size, 0);
}

/* Permits `access` below `path`; a path that does not exist is no error, there is nothing to permit. */
static int qd_landlock_permit(int ruleset, long abi, const char *path, uint64_t access)
{
    struct qd_landlock_path rule = {access & qd_landlock_handled(abi), open(path, O_PATH | O_CLOEXEC)};
    if (rule.fd < 0)
        return 0;
    long failed = syscall(QD_SYS_LANDLOCK_ADD, ruleset, 1 /* path beneath */, &rule, 0);
    close(rule.fd);
    return failed ? -1 : 0;
}

static int qd_landlock_enforce(int ruleset)
{
    long failed = syscall(QD_SYS_LANDLOCK_RESTRICT, ruleset, 0);
    close(ruleset);
    return failed ? -1 : 0;
}

#endif
