/* The calls of a plan in a child's memory: its segments between unmapped pages, its arguments with their addresses.
 * Whoever includes this defines qd_fail, which does not return. */
#ifndef QD_PLAN_H
#define QD_PLAN_H

#include "protocol.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* `why`: NULL for the words of errno. */
static void qd_fail(const char *what, const char *why);

static void *qd_map(int fd, size_t bytes, int protection)
{
    void *address = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED)
        _exit(91);
    return address;
}

/* Bytes of address space from a segment's first piece to its last. */
static size_t qd_extent(const struct qd_segment *segment)
{
    return (segment->pieces - 1) * segment->pitch + segment->bytes / segment->pieces;
}

static void qd_map_part(char *address, size_t bytes, int protection, int fd, uint64_t offset)
{
    if (mmap(address, bytes, protection, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, (off_t)offset) == MAP_FAILED)
        qd_fail("mapping a segment", NULL);
}

static void qd_map_pieces(const struct qd_segment *segment, int fd, char *address)
{
    const size_t bytes = segment->bytes / segment->pieces;
    const int protection = PROT_READ | (segment->region == QD_OUTPUT ? PROT_WRITE : 0);
    for (uint32_t i = 0; i < segment->pieces; i++) {
        qd_map_part(address + i * segment->pitch, bytes, protection, fd, segment->offset + i * bytes);
        for (size_t at = bytes; segment->fill && i + 1 < segment->pieces && at < segment->pitch; at += segment->fill) {
            const size_t left = segment->pitch - at;
            qd_map_part(address + i * segment->pitch + at, left < segment->fill ? left : segment->fill, protection, fd,
                        segment->offset + segment->bytes);
        }
    }
}

/* Maps every segment between unmapped pages and returns their addresses; `*base` is that of the first such page. */
static char **qd_map_segments(const struct qd_plan *plan, const int *region_fd, char **base)
{
    const struct qd_segment *segment = (const struct qd_segment *)(plan + 1);
    const size_t page = 4096;
    size_t total = page;
    for (uint32_t i = 0; i < plan->segments; i++)
        total += qd_extent(segment + i) + page;
    char *next = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char **address = calloc(plan->segments + 1, sizeof *address);
    *base = next;
    if (next == MAP_FAILED || !address)
        qd_fail("reserving address space", NULL);
    for (uint32_t i = 0; i < plan->segments; i++) {
        address[i] = next + page;
        qd_map_pieces(segment + i, region_fd[segment[i].region], address[i]);
        next = address[i] + qd_extent(segment + i);
    }
    return address;
}

/* The arguments of every call with addresses in place of segment offsets. */
static union qd_slot *qd_resolve_arguments(const struct qd_plan *plan, char **address)
{
    const struct qd_segment *segment = (const struct qd_segment *)(plan + 1);
    const struct qd_argument *argument = (const struct qd_argument *)(segment + plan->segments);
    size_t slots = (size_t)plan->calls * plan->parameters;
    union qd_slot *slot = calloc(slots + 1, sizeof *slot);
    if (!slot)
        qd_fail("allocating the call table", NULL);
    for (size_t i = 0; i < slots; i++) {
        if (argument[i].segment >= 0)
            slot[i].p = address[argument[i].segment] + argument[i].value;
        else
            memcpy(&slot[i], &argument[i].value, sizeof slot[i]);
    }
    return slot;
}

#endif
