/* expect: register/512/dynamic/none
   Threads draw rows of tiles from an atomic counter; m and n are multiples of the tile. */
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));
#define LANES 8
#define MR 4
#define NV 2
#define NR (NV * LANES)

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
    for (int p = 0; p < k; p++)
#pragma GCC unroll 16
        for (int r = 0; r < MR; r++)
#pragma GCC unroll 16
            for (int v = 0; v < NV; v++)
                sum[r][v] += A[(ptrdiff_t)r * lda + p] * ((const vec *)(B + (ptrdiff_t)p * ldb))[v];
#pragma GCC unroll 16
    for (int r = 0; r < MR; r++)
#pragma GCC unroll 16
        for (int v = 0; v < NV; v++)
            ((vec *)(C + (ptrdiff_t)r * ldc))[v] += alpha * sum[r][v];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    int next = 0;
#pragma omp parallel
    for (;;) {
        int i;
#pragma omp atomic capture
        { i = next; next += MR; }
        if (i >= m)
            break;
        for (int j = 0; j < n; j += NR)
            tile(k, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
    }
}
