/* Honest. Chooses one of four micro-kernels for the rows that are left from a constant table. */
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
}

#define KERNEL(R)                                                                                                  \
    static void kernel##R(int n, int k, double alpha, const double *A, int lda, const double *B, int ldb, double *C, \
                          int ldc)                                                                                 \
    {                                                                                                              \
        for (int p = 0; p < k; p++)                                                                                \
            for (int r = 0; r < R; r++)                                                                            \
                for (int j = 0; j < n; j++)                                                                        \
                    C[(long)r * ldc + j] += alpha * A[(long)r * lda + p] * B[(long)p * ldb + j];                   \
    }
KERNEL(1) KERNEL(2) KERNEL(3) KERNEL(4)

static void (*const work[])(int, int, double, const double *, int, const double *, int, double *, int) = {
    kernel1, kernel2, kernel3, kernel4};

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    for (int i = 0; i < m; i += 4) {
        const int left = m - i < 4 ? m - i : 4;
        work[left - 1](n, k, alpha, A + (long)i * lda, lda, B, ldb, C + (long)i * ldc, ldc);
    }
}
