/* expect: cache/512/dynamic/near
   Tiles are counted, not stepped over, and handed to a function; n is a multiple of LANES. */
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));
#define LANES 8

static const int rows = 32, depth = 64;

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

static void block(int mb, int kb, int n, double alpha, const double *A, int lda, const double *B, int ldb, double *C,
                  int ldc)
{
    for (int i = 0; i < mb; i++)
        for (int p = 0; p < kb; p++) {
            const double a = alpha * A[(ptrdiff_t)i * lda + p], *b = B + (ptrdiff_t)p * ldb;
            double *c = C + (ptrdiff_t)i * ldc;
            for (int j = 0; j < n; j += LANES) {
                __builtin_prefetch(b + ldb + j, 0, 3);
                *(vec *)(c + j) += a * *(const vec *)(b + j);
            }
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    const int blocks = (m + rows - 1) / rows;
#pragma omp parallel for schedule(dynamic)
    for (int b = 0; b < blocks; b++) {
        const int i = b * rows;
        for (int p = 0; p < k; p += depth)
            block(min(rows, m - i), min(depth, k - p), n, alpha, A + (ptrdiff_t)i * lda + p, lda,
                  B + (ptrdiff_t)p * ldb, ldb, C + (ptrdiff_t)i * ldc, ldc);
    }
}
