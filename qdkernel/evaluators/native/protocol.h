/* What the supervising parent and the contained child share: three memory files and nothing else.
 *
 *   plan     read-only in the child: which memory to map, and the arguments of every call
 *   control  one page both may write: the handshake around a block of calls
 *   data     inputs (read-only in the child) and outputs, mapped with guard pages as the plan says
 *
 * The parent never trusts what the child writes: it keeps its own sequence number and clock and judges the outputs. */
#ifndef QD_PROTOCOL_H
#define QD_PROTOCOL_H

#include <stdint.h>

union qd_slot { /* one argument of the kernel */
    int32_t i;
    int64_t l;
    float f;
    double d;
    void *p;
};

enum qd_region { QD_INPUT = 0, QD_OUTPUT = 1 };

struct qd_segment { /* whole pages of a data file; an unmapped page stands before and after each */
    uint64_t offset, bytes;
    uint64_t pitch;  /* bytes in memory from one of its equal pieces to the next */
    uint64_t fill;   /* bytes of the file behind the pieces, mapped again and again between them; 0: nothing is */
    uint32_t region, pieces;
};

struct qd_argument { /* segment < 0: the slot's eight bytes; otherwise a byte offset into that segment */
    int64_t segment;
    uint64_t value;
};

struct qd_plan { /* followed by the segments, then calls x parameters arguments */
    uint32_t segments, calls, parameters, unused;
};

enum qd_state { QD_STARTING = 0, QD_LOADING = 1, QD_READY = 2, QD_FAILED = 3 };

struct qd_control {
    uint32_t command;  /* parent: number of the block asked for (futex) */
    uint32_t armed;    /* child: number of the block it stands ready to start (futex) */
    uint32_t start;    /* parent: go */
    uint32_t done;     /* child: number of the block it has finished (futex) */
    uint32_t first, count;     /* parent: the calls of the block */
    uint32_t state, progress;  /* child: for messages only */
    uint32_t float_control;    /* child: nonzero when a call left another rounding or flush mode behind */
    uint32_t layers;           /* child: bits of enum qd_layer that are in force */
    char message[256];         /* child: why it failed before the kernel was called */
    uint32_t thawed;   /* parent: the block whose child, armed and perhaps stopped, goes on */
    uint32_t awake;    /* child: the block for which it does */
    uint64_t base;     /* child: address of the first segment's leading guard page; for messages only, as the rest is */
    uint64_t fault_address; /* child: what the access that killed it went to */
    uint32_t fault;         /* child: bits of enum qd_fault; 0 when it has not been killed by an access */
    uint32_t stack_kib;     /* child: size of the stack of its first thread */
    uint32_t cached;   /* parent: the arrays of a block's calls are brought into the child's caches before it starts */
};

enum qd_fault { QD_FAULT = 1, QD_FAULT_WRITE = 2, QD_FAULT_CODE = 4, QD_FAULT_STACK = 8, QD_FAULT_PROTECTION = 16 };

enum qd_layer { QD_LIMITS = 1, QD_LANDLOCK = 2, QD_SECCOMP = 4 };

#endif
