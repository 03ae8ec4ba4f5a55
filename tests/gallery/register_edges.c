/* expect: register/512/dynamic/both
   Decoy: steps of 8 rows and 24 columns bound edge loops, as a cache tile would, but are a register tile. */
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));
#define LANES 8
#define MR 8
#define NV 3
#define NR (NV * LANES)

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
}

/* MR x NV vectors of C over the whole of k. */
static inline void tile(int k, double alpha, const double *A, int lda, const double *B, int ldb, double *C, int ldc)
{
    vec sum[MR][NV] = {0};
    for (int p = 0; p < k; p++) {
        __builtin_prefetch(B + (ptrdiff_t)(p + 4) * ldb, 0, 3);
        __builtin_prefetch(B + (ptrdiff_t)(p + 64) * ldb, 0, 1);
#pragma GCC unroll 16
        for (int r = 0; r < MR; r++)
#pragma GCC unroll 16
            for (int v = 0; v < NV; v++)
                sum[r][v] += A[(ptrdiff_t)r * lda + p] * ((const vec *)(B + (ptrdiff_t)p * ldb))[v];
    }
#pragma GCC unroll 16
    for (int r = 0; r < MR; r++)
#pragma GCC unroll 16
        for (int v = 0; v < NV; v++)
            ((vec *)(C + (ptrdiff_t)r * ldc))[v] += alpha * sum[r][v];
}

static void edge(int mr, int nr, int k, double alpha, const double *A, int lda, const double *B, int ldb, double *C,
                 int ldc)
{
    for (int r = 0; r < mr; r++)
        for (int p = 0; p < k; p++)
            for (int c = 0; c < nr; c++)
                C[(ptrdiff_t)r * ldc + c] += alpha * A[(ptrdiff_t)r * lda + p] * B[(ptrdiff_t)p * ldb + c];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
#pragma omp parallel for schedule(guided)
    for (int i = 0; i < m; i += MR)
        for (int j = 0; j < n; j += NR) {
            const int mr = min(MR, m - i), nr = min(NR, n - j);
            const double *a = A + (ptrdiff_t)i * lda, *b = B + j;
            double *c = C + (ptrdiff_t)i * ldc + j;
            if (mr == MR && nr == NR)
                tile(k, alpha, a, lda, b, ldb, c, ldc);
            else
                edge(mr, nr, k, alpha, a, lda, b, ldb, c, ldc);
        }
}
