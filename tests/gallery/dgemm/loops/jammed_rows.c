/* expect: register/256/serial/none
   Unroll and jam by hand, in plain C: two rows and three columns at a time share their loads. The compiler packs the
   six sums into vectors. */

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    const int high = m / 2 * 2, wide = n / 3 * 3;
    for (int i = 0; i < high; i += 2)
        for (int j = 0; j < wide; j += 3) {
            const double *a0 = A + (ptrdiff_t)i * lda, *a1 = a0 + lda, *b = B + j;
            double s00 = 0, s01 = 0, s02 = 0, s10 = 0, s11 = 0, s12 = 0;
            for (int p = 0; p < k; p++, b += ldb) {
                const double x = a0[p], y = a1[p];
                s00 += x * b[0];
                s10 += y * b[0];
                s01 += x * b[1];
                s11 += y * b[1];
                s02 += x * b[2];
                s12 += y * b[2];
            }
            double *c0 = C + (ptrdiff_t)i * ldc + j, *c1 = c0 + ldc;
            c0[0] += alpha * s00, c0[1] += alpha * s01, c0[2] += alpha * s02;
            c1[0] += alpha * s10, c1[1] += alpha * s11, c1[2] += alpha * s12;
        }
    for (int i = 0; i < m; i++)
        for (int j = i < high ? wide : 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; p < k; p++)
                sum += A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)p * ldb + j];
            C[(ptrdiff_t)i * ldc + j] += alpha * sum;
        }
}
