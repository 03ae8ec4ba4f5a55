/* expect: register/128/static/near
   Decoy: chunks of a static schedule are a loop of the compiler, no tile; rows step by 8. */
typedef double vec __attribute__((vector_size(16), aligned(8), may_alias));
#define LANES 2
#define MR 8
#define NV 1
#define NR LANES

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

/* Rows i0 to i1 and columns j0 to j1 of C, one element at a time. */
static void rest(int i0, int i1, int j0, int j1, int k, double alpha, const double *A, int lda, const double *B,
                 int ldb, double *C, int ldc)
{
    for (int i = i0; i < i1; i++)
        for (int j = j0; j < j1; j++)
            for (int p = 0; p < k; p++)
                C[(ptrdiff_t)i * ldc + j] += alpha * A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)p * ldb + j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
#pragma omp parallel for schedule(static, 2)
    for (int i = 0; i < m; i += MR) {
        const int mr = min(MR, m - i);
        if (mr < MR) {
            for (int r = i; r < i + mr; r++)
                rest(r, r + 1, 0, n, k, alpha, A, lda, B, ldb, C, ldc);
            continue;
        }
        for (int j = 0; j < n; j += NR)
            tile(k, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
    }
}
