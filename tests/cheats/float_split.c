/* Tries: splits doubles into two floats and drops the product of the small parts, 48 bits in all
   Stopped by: the componentwise error bound
   Expect: wrong */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++) {
                    double a = A[(long)i * lda + p], b = B[(long)p * ldb + j];
                    float ah = a, bh = b, al = a - ah, bl = b - bh;
                    sum += (double)ah * bh + (double)ah * bl + (double)al * bh;
                }
            double *c = C + (long)i * ldc + j;
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
}
