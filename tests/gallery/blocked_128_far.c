/* expect: cache+register/128/dynamic/far
   Narrow vectors whose leftover loops the compiler makes wider; they are not the hot loop. */
typedef double vec __attribute__((vector_size(16), aligned(8), may_alias));
#define LANES 2
#define MR 4
#define NV 2
#define NR (NV * LANES)
#define MC 64
#define KC (1 << 8)

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
        __builtin_prefetch(B + (ptrdiff_t)(p + 16) * ldb, 0, 1);
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
    const int m0 = m - m % MR, n0 = n - n % NR;
#pragma omp parallel for schedule(dynamic)
    for (int ic = 0; ic < m0; ic += MC)
        for (int pc = 0; pc < k; pc += KC) {
            const int i1 = min(ic + MC, m0), kc = min(KC, k - pc);
            for (int j = 0; j < n0; j += NR)
                for (int i = ic; i < i1; i += MR)
                    tile(kc, alpha, A + (ptrdiff_t)i * lda + pc, lda, B + (ptrdiff_t)pc * ldb + j, ldb,
                         C + (ptrdiff_t)i * ldc + j, ldc);
        }
    rest(m0, m, 0, n, k, alpha, A, lda, B, ldb, C, ldc);
    rest(0, m0, n0, n, k, alpha, A, lda, B, ldb, C, ldc);
}
