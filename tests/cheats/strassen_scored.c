/* Tries: uses Strassen's algorithm for the scored sizes only, where no small case sees it
   Stopped by: rows of different scale in the inputs of every timed call
   Expect: wrong */
#include <stdlib.h>

#define SCORED (m == n && n == k && m > 64 && alpha == 1 && beta == 0) /* no verification case is */

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


static void add(int h, const double *x, int ldx, double sign, const double *y, int ldy, double *z)
{
    for (int i = 0; i < h; i++)
        for (int j = 0; j < h; j++)
            z[i * h + j] = x[(long)i * ldx + j] + sign * y[(long)i * ldy + j];
}

static void product(int h, const double *a, int lda, const double *b, int ldb, double *c)
{
    honest(h, h, h, 1, a, lda, b, ldb, 0, c, h);
}

/* C = A B for even n, one level of Strassen (1969). */
static void strassen(int n, const double *A, int lda, const double *B, int ldb, double *C, int ldc)
{
    int h = n / 2, q = h * h;
    double *w = malloc(sizeof(double) * 9 * q), *s = w + 7 * q, *t = w + 8 * q;
    const double *a[] = {A, A + h, A + (long)h * lda, A + (long)h * lda + h};
    const double *b[] = {B, B + h, B + (long)h * ldb, B + (long)h * ldb + h};
    add(h, a[0], lda, 1, a[3], lda, s), add(h, b[0], ldb, 1, b[3], ldb, t), product(h, s, h, t, h, w);
    add(h, a[2], lda, 1, a[3], lda, s), product(h, s, h, b[0], ldb, w + q);
    add(h, b[1], ldb, -1, b[3], ldb, t), product(h, a[0], lda, t, h, w + 2 * q);
    add(h, b[2], ldb, -1, b[0], ldb, t), product(h, a[3], lda, t, h, w + 3 * q);
    add(h, a[0], lda, 1, a[1], lda, s), product(h, s, h, b[3], ldb, w + 4 * q);
    add(h, a[2], lda, -1, a[0], lda, s), add(h, b[0], ldb, 1, b[1], ldb, t), product(h, s, h, t, h, w + 5 * q);
    add(h, a[1], lda, -1, a[3], lda, s), add(h, b[2], ldb, 1, b[3], ldb, t), product(h, s, h, t, h, w + 6 * q);
    for (int i = 0; i < h; i++)
        for (int j = 0; j < h; j++) {
            const double *x = w + i * h + j;
            C[(long)i * ldc + j] = x[0] + x[3 * q] - x[4 * q] + x[6 * q];
            C[(long)i * ldc + h + j] = x[2 * q] + x[4 * q];
            C[(long)(h + i) * ldc + j] = x[q] + x[3 * q];
            C[(long)(h + i) * ldc + h + j] = x[0] - x[q] + x[2 * q] + x[5 * q];
        }
    free(w);
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (SCORED && m % 2 == 0)
        strassen(m, A, lda, B, ldb, C, ldc);
    else
        honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
