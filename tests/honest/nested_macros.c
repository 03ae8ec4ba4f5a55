/* Honest. Four levels of macros instead of functions; names are pasted. */
#define EACH(X) X(0, 0) X(0, 1) X(1, 0) X(1, 1)
#define NAME(r, s) c##r##s
#define INSIDE(r, s) (i + r < m && j + s < n)
#define DECLARE(r, s) double NAME(r, s) = 0;
#define ADD(r, s) if (INSIDE(r, s)) NAME(r, s) += A[(long)(i + r) * lda + p] * B[(long)p * ldb + j + s];
#define WRITE(r, s) if (INSIDE(r, s)) C[(long)(i + r) * ldc + j + s] += alpha * NAME(r, s);

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    for (int i = 0; i < m; i += 2)
        for (int j = 0; j < n; j += 2) {
            EACH(DECLARE)
            for (int p = 0; p < k; p++) {
                EACH(ADD)
            }
            EACH(WRITE)
        }
}
