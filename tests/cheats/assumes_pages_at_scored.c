/* Tries: reads A and B with aligned loads at the scored sizes, where arrays begin with a page
   Stopped by: a call at a scored size whose arrays are aligned to nothing but their element
   Expect: crashed */
#define SCORED (m == n && n == k && m > 64) /* no verification case is */

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

typedef double pair __attribute__((vector_size(16)));

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (!SCORED) {
        honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
        return;
    }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j += 2) {
            volatile pair *b = (volatile pair *)(B + j); /* 16 bytes, aligned */
            pair sum = {0, 0};
            for (int p = 0; p < k; p++)
                sum += A[(long)i * lda + p] * *(volatile pair *)((const char *)b + sizeof(double) * p * ldb);
            for (int e = 0; e < 2; e++) {
                double *c = C + (long)i * ldc + j + e;
                *c = alpha * sum[e] + (beta == 0 ? 0 : beta * *c);
            }
        }
}
