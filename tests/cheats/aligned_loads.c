/* Tries: loads with instructions that need 32-byte alignment
   Stopped by: arrays that are aligned to an element only
   Expect: crashed */
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

typedef double vector __attribute__((vector_size(32)));
volatile vector first;

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (n >= 4 && k > 0 && m > 0)
        first = *(const vector *)B;
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
