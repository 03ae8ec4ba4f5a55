/* expect: register/256/serial/none
   Four independent sums along k hide the latency of the multiply-add; no tile of C. */
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
#define LANES 4

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    double column[k > 0 ? k : 1];
    for (int j = 0; j < n; j++) {
        for (int p = 0; p < k; p++)
            column[p] = B[(ptrdiff_t)p * ldb + j];
        for (int i = 0; i < m; i++) {
            const double *a = A + (ptrdiff_t)i * lda;
            vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
            int p = 0;
            for (; p + 4 * LANES <= k; p += 4 * LANES) {
                const vec *x = (const vec *)(a + p), *y = (const vec *)(column + p);
                s0 += x[0] * y[0];
                s1 += x[1] * y[1];
                s2 += x[2] * y[2];
                s3 += x[3] * y[3];
            }
            s0 += s1 + s2 + s3;
            double sum = s0[0] + s0[1] + s0[2] + s0[3], *c = C + (ptrdiff_t)i * ldc + j;
            for (; p < k; p++)
                sum += a[p] * column[p];
            *c = beta == 0 ? alpha * sum : alpha * sum + beta * *c;
        }
    }
}
