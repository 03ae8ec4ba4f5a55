/* expect: cache/256/serial/none
   Four steps of p are jammed into the update of a row, inside tiles of p and j. */
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
#define KC 64
#define NC 256

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

static void rows4(int w, const double *x, const double *b, int ldb, double *c)
{
    const double *b1 = b + ldb, *b2 = b1 + ldb, *b3 = b2 + ldb;
    int j = 0;
    for (; j + 4 <= w; j += 4)
        *(vec *)(c + j) += x[0] * *(const vec *)(b + j) + x[1] * *(const vec *)(b1 + j) +
                           x[2] * *(const vec *)(b2 + j) + x[3] * *(const vec *)(b3 + j);
    for (; j < w; j++)
        c[j] += x[0] * b[j] + x[1] * b1[j] + x[2] * b2[j] + x[3] * b3[j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    for (int pc = 0; pc < k; pc += KC)
        for (int jc = 0; jc < n; jc += NC) {
            const int kc = min(KC, k - pc), nc = min(NC, n - jc), whole = kc / 4 * 4;
            for (int i = 0; i < m; i++) {
                const double *a = A + (ptrdiff_t)i * lda + pc, *b = B + (ptrdiff_t)pc * ldb + jc;
                double *c = C + (ptrdiff_t)i * ldc + jc;
                int p = 0;
                for (; p < whole; p += 4) {
                    const double x[] = {alpha * a[p], alpha * a[p + 1], alpha * a[p + 2], alpha * a[p + 3]};
                    rows4(nc, x, b + (ptrdiff_t)p * ldb, ldb, c);
                }
                for (; p < kc; p++)
                    for (int j = 0; j < nc; j++)
                        c[j] += alpha * a[p] * b[(ptrdiff_t)p * ldb + j];
            }
        }
}
