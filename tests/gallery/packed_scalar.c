/* expect: packed/scalar/serial/none
   Rows of B set side by side; scalar sums, four to a tile; m is a multiple of 4. */
#include <string.h>
#define KC 256
#define NC 128

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
}

static double panel[KC * NC];

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    for (int pc = 0; pc < k; pc += KC)
        for (int jc = 0; jc < n; jc += NC) {
            const int kc = min(KC, k - pc), nc = min(NC, n - jc);
            for (int p = 0; p < kc; p++)
                memcpy(panel + (ptrdiff_t)p * nc, B + (ptrdiff_t)(pc + p) * ldb + jc, nc * sizeof *panel);
            for (int i = 0; i < m; i += 4)
                for (int j = 0; j < nc; j++) {
                    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
                    const double *a = A + (ptrdiff_t)i * lda + pc;
                    double *c = C + (ptrdiff_t)i * ldc + jc + j;
                    for (ptrdiff_t at = j; at < (ptrdiff_t)kc * nc; at += nc, a++) {
                        s0 += a[0] * panel[at];
                        s1 += a[lda] * panel[at];
                        s2 += a[2 * (ptrdiff_t)lda] * panel[at];
                        s3 += a[3 * (ptrdiff_t)lda] * panel[at];
                    }
                    c[0] += alpha * s0;
                    c[ldc] += alpha * s1;
                    c[2 * (ptrdiff_t)ldc] += alpha * s2;
                    c[3 * (ptrdiff_t)ldc] += alpha * s3;
                }
        }
}
