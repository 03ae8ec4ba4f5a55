/* What this machine can do at most: floating-point peak per type and SIMD width, and STREAM triad.

   Usage: peaks WINDOWS WINDOW_MS TRIAD_BYTES       (threads: OMP_NUM_THREADS, bound by OMP_PROC_BIND)
   Prints one JSON object. Each number is the best of several windows or passes: a peak, not an average.

   Peak: every thread runs chains of a = a * x + y, as many independent ones as the registers hold, so that the
   latency of one hides behind the others. Operations are counted as 2 per element and step. */

#define _POSIX_C_SOURCE 200809L
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

/* An empty statement that takes the value in a register and may change it. It keeps each chain in a register of its
   own: without it the compiler merges the scalar chains into vectors, and an array of chains in memory halved the
   peak once. tests/evaluators/test_peaks.py reads the disassembly. */
#if defined(__x86_64__) || defined(__i386__)
#define IN_REGISTER(value) __asm__ volatile("" : "+v"(value))
#elif defined(__aarch64__)
#define IN_REGISTER(value) __asm__ volatile("" : "+w"(value))
#else
#define IN_REGISTER(value) ((void)0)
#endif

/* Chains needed: latency x units, up to 10 on x86 (Haswell: 5 x 2) and 16 on ARM (Neoverse V1: 4 x 4). Two more
   registers hold x and y. */
#define TWELVE(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#if defined(__AVX512VL__) || defined(__aarch64__)
#define CHAINS(M) TWELVE(M) M(12) M(13) M(14) M(15) M(16) M(17) M(18) M(19)
#define NUM_CHAINS 20 /* of 32 registers */
#else
#define CHAINS(M) TWELVE(M)
#define NUM_CHAINS 12 /* of 16 registers; without FMA the product takes one more */
#endif

#define START(i) a##i = x * (i + 1);
#define STEP(i) a##i = a##i * x + y; IN_REGISTER(a##i);
#define SUM(i) x += a##i;
#define DECLARE(i) , a##i

/* x < 1 and y = 1 - x: every chain tends to 1, so no step meets a subnormal, which would be slow. */
#define DEFINE_PEAK(name, type, element) \
    static __attribute__((noinline)) double name(long steps) { \
        type zero = {0}, x = zero + (element)0.75, y = zero + (element)0.25 CHAINS(DECLARE); \
        CHAINS(START) \
        IN_REGISTER(x); \
        IN_REGISTER(y); \
        for (long step = 0; step < steps; step++) { CHAINS(STEP) } \
        CHAINS(SUM) \
        return FIRST(x); \
    }

typedef double double128 __attribute__((vector_size(16)));
typedef double double256 __attribute__((vector_size(32)));
typedef double double512 __attribute__((vector_size(64)));
typedef float float128 __attribute__((vector_size(16)));
typedef float float256 __attribute__((vector_size(32)));
typedef float float512 __attribute__((vector_size(64)));

#define FIRST(value) (value)
DEFINE_PEAK(peak_float64_scalar, double, double)
DEFINE_PEAK(peak_float32_scalar, float, float)
#undef FIRST
#define FIRST(value) ((value)[0])
#if defined(__SSE2__) || defined(__ARM_NEON)
#define HAS_128 1
DEFINE_PEAK(peak_float64_128, double128, double)
DEFINE_PEAK(peak_float32_128, float128, float)
#endif
#if defined(__AVX__) || __ARM_FEATURE_SVE_BITS == 256
DEFINE_PEAK(peak_float64_256, double256, double)
DEFINE_PEAK(peak_float32_256, float256, float)
#endif
#if defined(__AVX512F__) || __ARM_FEATURE_SVE_BITS == 512
DEFINE_PEAK(peak_float64_512, double512, double)
DEFINE_PEAK(peak_float32_512, float512, float)
#endif

static const struct peak {
    const char *dtype, *simd;
    int lanes;
    double (*run)(long steps);
} PEAKS[] = {
    {"float64", "scalar", 1, peak_float64_scalar},
    {"float32", "scalar", 1, peak_float32_scalar},
#if defined(HAS_128)
    {"float64", "128", 2, peak_float64_128},
    {"float32", "128", 4, peak_float32_128},
#endif
#if defined(__AVX__) || __ARM_FEATURE_SVE_BITS == 256
    {"float64", "256", 4, peak_float64_256},
    {"float32", "256", 8, peak_float32_256},
#endif
#if defined(__AVX512F__) || __ARM_FEATURE_SVE_BITS == 512
    {"float64", "512", 8, peak_float64_512},
    {"float32", "512", 16, peak_float32_512},
#endif
};
#define NUM_PEAKS ((int)(sizeof PEAKS / sizeof PEAKS[0]))

static volatile double sink; /* results go somewhere, so that they must be computed */

static double now_s(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

/* GFLOP/s of all threads together for about window_s; each thread is timed by itself after a common start. */
static double peak_gflops(const struct peak *peak, double window_s) {
    double sum = 0;
    const long steps = 4096; /* about 10 us between looks at the clock */
#pragma omp parallel
    {
        double start, end, flops = 0, result = 0;
#pragma omp barrier
        start = now_s();
        do {
            result += peak->run(steps);
            flops += 2.0 * peak->lanes * NUM_CHAINS * steps;
            end = now_s();
        } while (end < start + window_s);
#pragma omp critical
        {
            sum += flops / (end - start) * 1e-9;
            sink = result;
        }
    }
    return sum;
}

/* Round by round over all peaks, so that a disturbance costs each of them one window and none all of its windows.
   Where the two best windows of a peak differ by over 1 % the host is busy: up to three times as many rounds. */
static void print_peaks(int windows, double window_s) {
    double best[NUM_PEAKS] = {0}, second[NUM_PEAKS] = {0};
    int settled = 0;
    for (int window = 0; window < 3 * windows && !(settled && window >= windows); window++) {
        settled = 1;
        for (int i = 0; i < NUM_PEAKS; i++) {
            peak_gflops(&PEAKS[i], window_s / 20); /* wide units take some us to wake */
            double gflops = peak_gflops(&PEAKS[i], window_s);
            if (gflops > best[i]) second[i] = best[i], best[i] = gflops;
            else if (gflops > second[i]) second[i] = gflops;
            settled &= second[i] > 0.99 * best[i];
        }
    }
    printf("\"peaks\": [");
    for (int i = 0; i < NUM_PEAKS; i++) {
        const struct peak *peak = &PEAKS[i];
        printf("%s{\"dtype\": \"%s\", ", i ? ", " : "", peak->dtype);
        printf("\"simd\": \"%s\", \"gflops\": %.6g}", peak->simd, best[i]);
    }
    printf("]");
}

static void triad(long n, double *restrict a, const double *restrict b, const double *restrict c, double s) {
#pragma omp parallel for schedule(static)
    for (long i = 0; i < n; i++) a[i] = b[i] + s * c[i];
}

/* The same past the caches: without reading the lines of `a` that it is about to overwrite. */
#if defined(__AVX512F__)
#define NUM_STREAMED 8
#define STREAM(a, b, c, s) _mm512_stream_pd(a, _mm512_load_pd(b) + _mm512_set1_pd(s) * _mm512_load_pd(c))
#elif defined(__AVX__)
#define NUM_STREAMED 4
#define STREAM(a, b, c, s) _mm256_stream_pd(a, _mm256_load_pd(b) + _mm256_set1_pd(s) * _mm256_load_pd(c))
#elif defined(__SSE2__)
#define NUM_STREAMED 2
#define STREAM(a, b, c, s) _mm_stream_pd(a, _mm_load_pd(b) + _mm_set1_pd(s) * _mm_load_pd(c))
#endif

#if defined(NUM_STREAMED)
static void triad_non_temporal(
    long n, double *restrict a, const double *restrict b, const double *restrict c, double s
) {
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (long i = 0; i < n; i += NUM_STREAMED) STREAM(a + i, b + i, c + i, s);
        _mm_sfence();
    }
}
#endif

typedef void triad_function(long, double *restrict, const double *restrict, const double *restrict, double);

/* GB/s of the best pass, 24 bytes an element as STREAM counts (McCalpin 1995): the read of `a`'s lines is free. */
static double best_triad(triad_function *run, long n, double *a, double *b, double *c) {
    double best = 0, begin = now_s();
    for (int pass = 0; pass < 100 && (pass < 4 || now_s() < begin + 0.4); pass++) {
        double start = now_s(), rate;
        run(n, a, b, c, 3.0);
        rate = 24.0 * n / (now_s() - start) * 1e-9;
        if (pass && rate > best) best = rate; /* pass 0 fills the page tables */
    }
    sink = a[n / 2];
    return best;
}

static int print_triad(long bytes) {
    long n = bytes / 24 / 64 * 64; /* whole lines and whole vectors */
    double *a = aligned_alloc(64, n * sizeof *a);
    double *b = aligned_alloc(64, n * sizeof *b);
    double *c = aligned_alloc(64, n * sizeof *c);
    if (n == 0 || !a || !b || !c) return 0;
#pragma omp parallel for schedule(static) /* each thread touches its own share first: memory near its core */
    for (long i = 0; i < n; i++) a[i] = 0, b[i] = 1, c[i] = 2;
    printf("\"triad\": {\"plain\": %.6g", best_triad(triad, n, a, b, c));
#if defined(NUM_STREAMED)
    printf(", \"non_temporal\": %.6g", best_triad(triad_non_temporal, n, a, b, c));
#else
    printf(", \"non_temporal\": null");
#endif
    printf("}");
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int windows = atoi(argv[1]), threads = 0;
    double window_s = atof(argv[2]) * 1e-3;
#pragma omp parallel
#pragma omp single
    threads = omp_get_num_threads();
    printf("{\"threads\": %d, ", threads);
    print_peaks(windows, window_s);
    printf(", ");
    if (!print_triad(atol(argv[3]))) return 3;
    printf("}\n");
    return 0;
}
