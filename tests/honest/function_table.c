/* Honest. Jumps through a table of functions, one for each number of rows left. */
#define ROWS(R)                                                                                                   \
    static void rows##R(int n, int k, double alpha, const double *a, int lda, const double *b, int ldb, double *c,  \
                        int ldc)                                                                                   \
    {                                                                                                             \
        for (int j = 0; j < n; j++)                                                                               \
            for (int r = 0; r < R; r++) {                                                                         \
                double sum = 0;                                                                                   \
                for (int p = 0; p < k; p++)                                                                       \
                    sum += a[(long)r * lda + p] * b[(long)p * ldb + j];                                           \
                c[(long)r * ldc + j] += alpha * sum;                                                              \
            }                                                                                                     \
    }
ROWS(0) ROWS(1) ROWS(2) ROWS(3)

typedef void part(int, int, double, const double *, int, const double *, int, double *, int);
static part *const table[] = {rows0, rows1, rows2, rows3};

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    for (int i = 0; i < m; i += 3)
        table[m - i < 3 ? m - i : 3](n, k, alpha, A + (long)i * lda, lda, B, ldb, C + (long)i * ldc, ldc);
}
