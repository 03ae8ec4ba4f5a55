/* expect: cache+register/256/serial/none
   Macros paste the names of twelve sums; every row of the tile is one line. */
#include <immintrin.h>
#define KC 192
#define ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define DECLARE(r) __m256d c##r##0 = _mm256_setzero_pd(), c##r##1 = c##r##0;
#define UPDATE(r)                                                     \
    x = _mm256_broadcast_sd(a + (ptrdiff_t)(r) * lda + p);            \
    c##r##0 = _mm256_fmadd_pd(x, b0, c##r##0);                        \
    c##r##1 = _mm256_fmadd_pd(x, b1, c##r##1);
#define ADD(to, sum) _mm256_storeu_pd(to, _mm256_fmadd_pd(scaled, sum, _mm256_loadu_pd(to)))
#define FINISH(r)                                                     \
    ADD(c + (ptrdiff_t)(r) * ldc, c##r##0);                           \
    ADD(c + (ptrdiff_t)(r) * ldc + 4, c##r##1);

static void tile(int kc, double alpha, const double *a, int lda, const double *b, int ldb, double *c, int ldc)
{
    ROWS(DECLARE)
    for (int p = 0; p < kc; p++, b += ldb) {
        const __m256d b0 = _mm256_loadu_pd(b), b1 = _mm256_loadu_pd(b + 4);
        __m256d x;
        ROWS(UPDATE)
    }
    const __m256d scaled = _mm256_set1_pd(alpha);
    ROWS(FINISH)
}

static double at(int kc, const double *a, const double *b, int ldb)
{
    double sum = 0;
    for (int p = 0; p < kc; p++)
        sum += a[p] * b[(ptrdiff_t)p * ldb];
    return sum;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    const int m6 = m / 6 * 6, n8 = n / 8 * 8;
    for (int pc = 0; pc < k; pc += KC) {
        const int kc = k - pc < KC ? k - pc : KC;
        const double *a = A + pc, *b = B + (ptrdiff_t)pc * ldb;
        for (int i = 0; i < m6; i += 6)
            for (int j = 0; j < n8; j += 8)
                tile(kc, alpha, a + (ptrdiff_t)i * lda, lda, b + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
        for (int i = 0; i < m; i++)
            for (int j = i < m6 ? n8 : 0; j < n; j++)
                C[(ptrdiff_t)i * ldc + j] += alpha * at(kc, a + (ptrdiff_t)i * lda, b + j, ldb);
    }
}
