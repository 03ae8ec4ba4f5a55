/* Honest. Copies all of B, transposed, into memory that it allocates, and falls back where there is none. */
#include <stdlib.h>
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
}

/* Rows first .. last - 1 of C += alpha A B. */
static void rows(int first, int last, int n, int k, double alpha, const double *restrict A, int lda,
                 const double *restrict B, int ldb, double *restrict C, int ldc)
{
    for (int i = first; i < last; i++)
        for (int p = 0; p < k; p++) {
            const double a = alpha * A[(long)i * lda + p];
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    double *turned = malloc(sizeof *turned * (unsigned long)n * (unsigned long)k);
    if (!turned) {
        rows(0, m, n, k, alpha, A, lda, B, ldb, C, ldc);
        return;
    }
    for (int j = 0; j < n; j++)
        for (int p = 0; p < k; p++)
            turned[(long)j * k + p] = B[(long)p * ldb + j];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; p < k; p++)
                sum += A[(long)i * lda + p] * turned[(long)j * k + p];
            C[(long)i * ldc + j] += alpha * sum;
        }
    free(turned);
}
