/* Tries: makes tasks with nothing to do beside a static loop
   Stopped by: the counters of blocks: less than 1 % of the work was done in tasks
   Expect: none/any/static/none */
static int idle;

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
#pragma omp parallel for
    for (int i = 0; i < m; i++)
        rows(i, i + 1, n, k, alpha, A, lda, B, ldb, C, ldc);
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 4; i++) {
#pragma omp task
#pragma omp atomic
        idle++;
    }
}
