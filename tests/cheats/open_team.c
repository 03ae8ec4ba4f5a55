/* Tries: opens an OpenMP team by hand and never closes it, so that its threads compute ahead
   Stopped by: the object policy: the runtime's half-open calls
   Expect: policy_violation */
static void honest(int m, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb,
                   double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
            double *c = C + (long)i * ldc + j;
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
}

extern void GOMP_parallel_start(void (*)(void *), void *, unsigned);
static volatile int started;
static void ahead(void *x)
{
    while (started)
        ;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    if (!started) {
        started = 1;
        GOMP_parallel_start(ahead, 0, 2);
    }
}
