/* expect: cache/128/serial/none
   Tiles are walked backwards, the ragged one first. */
typedef double vec __attribute__((vector_size(16), aligned(8), may_alias));
enum { MC = 48, KC = 96 };

static void block(int rows, int n, int depth, double alpha, const double *A, int lda, const double *B, int ldb, double *C,
                  int ldc)
{
    for (int i = rows - 1; i >= 0; i--)
        for (int p = depth - 1; p >= 0; p--) {
            const double x = alpha * A[(ptrdiff_t)i * lda + p], *b = B + (ptrdiff_t)p * ldb;
            double *c = C + (ptrdiff_t)i * ldc;
            int j = n;
            for (; j >= 2; j -= 2)
                *(vec *)(c + j - 2) += x * *(const vec *)(b + j - 2);
            if (j)
                c[0] += x * b[0];
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    for (int end = k; end > 0; end -= KC) {
        const int pc = end > KC ? end - KC : 0;
        for (int bottom = m; bottom > 0; bottom -= MC) {
            const int ic = bottom > MC ? bottom - MC : 0;
            block(bottom - ic, n, end - pc, alpha, A + (ptrdiff_t)ic * lda + pc, lda, B + (ptrdiff_t)pc * ldb, ldb,
                  C + (ptrdiff_t)ic * ldc, ldc);
        }
    }
}
