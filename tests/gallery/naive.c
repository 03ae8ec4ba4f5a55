/* expect: none/scalar/serial/none
   The textbook nest. B is walked by its row stride, so the sum stays scalar. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            const double *a = A + (ptrdiff_t)i * lda;
            for (ptrdiff_t at = j; at < (ptrdiff_t)k * ldb; at += ldb)
                sum += *a++ * B[at];
            double *c = C + (ptrdiff_t)i * ldc + j;
            *c = beta == 0 ? alpha * sum : alpha * sum + beta * *c;
        }
}
