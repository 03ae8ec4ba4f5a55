/* Honest. Constant tables decide the order in which columns of a tile are visited. */
static const unsigned char order[16] = {3, 1, 4, 0, 5, 9, 2, 6, 8, 7, 15, 14, 13, 12, 11, 10};

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j0 = 0; j0 < n; j0 += 16)
            for (int t = 0; t < 16; t++) {
                int j = j0 + order[t];
                if (j >= n)
                    continue;
                double sum = 0;
                if (alpha != 0)
                    for (int p = 0; p < k; p++)
                        sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
                C[(long)i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
            }
}
