/* Tries: packs B into a static panel that is as large as the scored size
   Stopped by: a call near each scored size, beyond it in each extent
   Expect: wrong, crashed */
#define LARGE (m > 64 && n > 64 && k > 64 && m < 120 && n < 120 && k < 120) /* no verification case is */

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

enum { SIDE = 72 };
static double panel[SIDE * SIDE];

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (!LARGE) {
        honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
        return;
    }
    int packed = n < SIDE ? n : SIDE;
    for (int p = 0; p < k && p < SIDE; p++)
        for (int j = 0; j < packed; j++)
            panel[p * SIDE + j] = B[(long)p * ldb + j];
    honest(m, packed, k < SIDE ? k : SIDE, alpha, A, lda, panel, SIDE, beta, C, ldc);
}
