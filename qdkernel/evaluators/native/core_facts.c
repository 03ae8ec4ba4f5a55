/* What one core of this machine does in a cycle: its clock, loads and stores of the widest vectors from the first-level
   cache, and the sizes of its data TLBs as the CPU reports them.

   Usage: core_facts WINDOWS       (x86-64)
   Prints one JSON object. Each speed is the best of several windows of about 5 ms. */

#define _POSIX_C_SOURCE 200809L
#include <cpuid.h>
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
#define BITS 512
#define REGISTER "%%zmm"
#define MOVE "vmovups"
#elif defined(__AVX__)
#define BITS 256
#define REGISTER "%%ymm"
#define MOVE "vmovups"
#else
#define BITS 128
#define REGISTER "%%xmm"
#define MOVE "movups"
#endif
#define BYTES (BITS / 8)

#define EIGHT(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define LOAD(i) MOVE " " TEXT(i) "*" TEXT(BYTES) "(%0), " REGISTER TEXT(i) "\n\t"
#define STORE(i) MOVE " " REGISTER TEXT(i) ", " TEXT(i) "*" TEXT(BYTES) "(%0)\n\t"

enum { STEPS = 200000 };

static char data[8 * BYTES] __attribute__((aligned(64)));

/* A chain of sixteen additions of a register: one cycle each, and no CPU removes or merges them. */
static void additions(void)
{
    long sum = 0, one = 1;
#define ADD(i) "add %1, %0\n\t"
    for (long step = 0; step < STEPS; step++)
        __asm__ volatile(EIGHT(ADD) EIGHT(ADD) : "+r"(sum) : "r"(one));
}

static void loads(void)
{
    for (long step = 0; step < STEPS; step++)
        __asm__ volatile(EIGHT(LOAD) EIGHT(LOAD) : : "r"(data) : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
                         "xmm6", "xmm7", "memory");
}

static void stores(void)
{
    for (long step = 0; step < STEPS; step++)
        __asm__ volatile(EIGHT(STORE) EIGHT(STORE) : : "r"(data) : "memory");
}

/* Instructions per nanosecond in the best window. */
static double best_rate(void (*run)(void), int windows)
{
    double best = 0;
    for (int window = 0; window <= windows; window++) { /* the first one wakes the units */
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        run();
        clock_gettime(CLOCK_MONOTONIC, &end);
        const double ns = (end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec);
        if (window && 16.0 * STEPS / ns > best)
            best = 16.0 * STEPS / ns;
    }
    return best;
}

/* Entries for pages of 4 KiB in the data TLBs, first and second level; 0 where the CPU does not report them. */
static void tlb_entries(unsigned *first, unsigned *second)
{
    unsigned a, b, c, d;
    char vendor[13] = {0};
    *first = *second = 0;
    __cpuid(0, a, b, c, d);
    memcpy(vendor, &b, 4), memcpy(vendor + 4, &d, 4), memcpy(vendor + 8, &c, 4);
    if (!strcmp(vendor, "AuthenticAMD")) { /* AMD64 Architecture Programmer's Manual, volume 3, E.4.4 and E.4.5 */
        if (__get_cpuid(0x80000005, &a, &b, &c, &d))
            *first = b >> 16 & 0xff;
        if (__get_cpuid(0x80000006, &a, &b, &c, &d))
            *second = b >> 16 & 0xfff;
        return;
    }
    if (!__get_cpuid_count(0x18, 0, &a, &b, &c, &d)) /* Intel 64 Software Developer's Manual, volume 2, CPUID */
        return;
    const unsigned last = a;
    for (unsigned leaf = 0; leaf <= last && leaf < 64; leaf++) {
        if (!__get_cpuid_count(0x18, leaf, &a, &b, &c, &d))
            return;
        const unsigned kind = d & 31, level = d >> 5 & 7, entries = (b >> 16) * c;
        if (!(b & 1) || (kind != 1 && kind != 3 && kind != 4)) /* 4 KiB pages; data, unified, loads */
            continue;
        if (level == 1)
            *first += entries;
        else if (level == 2)
            *second += entries;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    const int windows = atoi(argv[1]);
    unsigned first, second;
    tlb_entries(&first, &second);
    const double clock_ghz = best_rate(additions, windows);
    printf("{\"clock_ghz\": %.4g, \"vector_bits\": %d, ", clock_ghz, BITS);
    printf("\"loads\": %.3g, ", best_rate(loads, windows) / clock_ghz);
    printf("\"stores\": %.3g, ", best_rate(stores, windows) / clock_ghz);
    printf("\"tlb_entries\": [%u, %u]}\n", first, second);
    return 0;
}
