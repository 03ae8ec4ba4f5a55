/* Runs a command (the compiler, an agent) with limited time, memory and file size, seeing only what it is shown.
 *
 *   confine CPU_S MEMORY_MB FILE_MB FILES RIGHTS WRITE_DIR PARENT_PID READ_PATH... -- COMMAND ARG...
 *   confine --with-parent COMMAND ARG...   as GCC's driver starts its passes: they end when it does, also if stopped
 *
 * FILES: open at once. RIGHTS: bits of enum rights, beyond those of a compiler.
 * Exit status 125: the confinement itself failed (126, 127: the command could not be run). */
#define _GNU_SOURCE
#include "jail.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum rights { OWN_PROGRAMS = 1 /* folders, links and programs of its own in WRITE_DIR */, NETWORK = 2 /* TCP */ };

static int fail(const char *what)
{
    fprintf(stderr, "confine: %s: %s\n", what, strerror(errno));
    return 125;
}

int main(int argc, char **argv)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc > 2 && strcmp(argv[1], "--with-parent") == 0) {
        execvp(argv[2], argv + 2);
        return fail(argv[2]) + 2;
    }
    int command = 8;
    while (command < argc && strcmp(argv[command], "--") != 0)
        command++;
    if (argc < 10 || command + 1 >= argc)
        return fail("usage");

    if (getppid() != atoi(argv[7])) /* the parent died before it could be noticed */
        return 125;
    qd_limit(RLIMIT_CPU, strtoul(argv[1], NULL, 10));
    qd_limit(RLIMIT_AS, strtoul(argv[2], NULL, 10) << 20);
    qd_limit(RLIMIT_FSIZE, strtoul(argv[3], NULL, 10) << 20);
    qd_limit(RLIMIT_CORE, 0);
    qd_limit(RLIMIT_NOFILE, strtoul(argv[4], NULL, 10));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return fail("no-new-privileges");

    const unsigned long rights = strtoul(argv[5], NULL, 10);
    long abi;
    int ruleset = qd_landlock_begin(&abi, (rights & NETWORK) != 0);
    if (ruleset >= 0) { /* without Landlock the caller has already decided whether to go on */
        uint64_t look = QD_FS_READ_FILE | QD_FS_READ_DIR | QD_FS_EXECUTE;
        uint64_t write = QD_FS_READ_FILE | QD_FS_READ_DIR | QD_FS_WRITE_FILE | QD_FS_REMOVE_FILE | QD_FS_MAKE_REG |
                         QD_FS_TRUNCATE;
        if (rights & OWN_PROGRAMS)
            write |= QD_FS_EXECUTE | QD_FS_MAKE_DIR | QD_FS_REMOVE_DIR | QD_FS_MAKE_SYM;
        for (int i = 8; i < command; i++)
            /* a rule on a plain file may not carry directory rights */
            if (qd_landlock_permit(ruleset, abi, argv[i], look) &&
                qd_landlock_permit(ruleset, abi, argv[i], QD_FS_READ_FILE | QD_FS_EXECUTE))
                return fail(argv[i]);
        if (qd_landlock_permit(ruleset, abi, argv[6], write) ||
            qd_landlock_permit(ruleset, abi, "/dev/null", QD_FS_READ_FILE | QD_FS_WRITE_FILE) ||
            qd_landlock_enforce(ruleset))
            return fail("Landlock");
    }
    execv(argv[command + 1], argv + command + 1);
    return fail(argv[command + 1]) + 2;
}
