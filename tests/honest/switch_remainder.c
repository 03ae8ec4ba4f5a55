/* Honest. Duff's device for the remainder of each sum. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            const double *a = A + (long)i * lda, *b = B + j;
            double sum = 0;
            int p = 0;
            if (alpha != 0 && k > 0)
                switch (k % 4) {
                case 0:
                    do {
                        sum += a[p] * b[(long)p * ldb], p++;
                case 3: sum += a[p] * b[(long)p * ldb], p++;
                case 2: sum += a[p] * b[(long)p * ldb], p++;
                case 1: sum += a[p] * b[(long)p * ldb], p++;
                    } while (p < k);
                }
            C[(long)i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
        }
}
