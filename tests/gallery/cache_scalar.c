/* expect: cache/scalar/serial/none
   Tiles of 64 rows and 96 columns around a scalar sum. */
#define ROWS 64
#define COLS (3 * 32)

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int ii = 0; ii < m; ii += ROWS)
        for (int jj = 0; jj < n; jj += COLS)
            for (int i = ii; i < min(ii + ROWS, m); i++)
                for (int j = jj; j < min(jj + COLS, n); j++) {
                    double sum = 0, *c = C + (ptrdiff_t)i * ldc + j;
                    const double *a = A + (ptrdiff_t)i * lda;
                    for (ptrdiff_t at = j; at < (ptrdiff_t)k * ldb; at += ldb)
                        sum += *a++ * B[at];
                    *c = beta == 0 ? alpha * sum : alpha * sum + beta * *c;
                }
}
