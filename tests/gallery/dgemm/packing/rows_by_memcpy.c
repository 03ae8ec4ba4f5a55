/* expect: packed/256/serial/near
   A slab of B is copied row by row with memcpy, to have rows that are not 4096 bytes apart. */
#include <string.h>
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
#define KC 64
#define NC 120
#define STRIDE 124
static double slab[KC][STRIDE];

static void tile(int rows, int kc, double alpha, const double *a, int lda, int j, double *c, int ldc)
{
    vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, s4 = {0}, s5 = {0};
    for (int p = 0; p < kc; p++) {
        const vec x = *(const vec *)&slab[p][j];
        __builtin_prefetch(a + p + 32, 0, 3);
        s0 += a[p] * x;
        s1 += a[(ptrdiff_t)lda + p] * x;
        s2 += a[2 * (ptrdiff_t)lda + p] * x;
        s3 += a[3 * (ptrdiff_t)lda + p] * x;
        s4 += a[4 * (ptrdiff_t)lda + p] * x;
        s5 += a[5 * (ptrdiff_t)lda + p] * x;
    }
    const vec sums[] = {s0, s1, s2, s3, s4, s5};
    for (int r = 0; r < rows; r++)
        *(vec *)(c + (ptrdiff_t)r * ldc) += alpha * sums[r];
}

static void plain(int rows, int kc, int from, int to, double alpha, const double *a, int lda, double *c, int ldc)
{
    for (int r = 0; r < rows; r++)
        for (int j = from; j < to; j++) {
            double sum = 0;
            for (int p = 0; p < kc; p++)
                sum += a[(ptrdiff_t)r * lda + p] * slab[p][j];
            c[(ptrdiff_t)r * ldc + j] += alpha * sum;
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    for (int jc = 0; jc < n; jc += NC)
        for (int pc = 0; pc < k; pc += KC) {
            const int nc = n - jc < NC ? n - jc : NC, kc = k - pc < KC ? k - pc : KC, n4 = nc / 4 * 4;
            for (int p = 0; p < kc; p++)
                memcpy(slab[p], B + (ptrdiff_t)(pc + p) * ldb + jc, (size_t)nc * sizeof(double));
            int i = 0;
            for (; i + 6 <= m; i += 6) {
                const double *a = A + (ptrdiff_t)i * lda + pc;
                double *c = C + (ptrdiff_t)i * ldc + jc;
                for (int j = 0; j < n4; j += 4)
                    tile(6, kc, alpha, a, lda, j, c + j, ldc);
                plain(6, kc, n4, nc, alpha, a, lda, c, ldc);
            }
            plain(m - i, kc, 0, nc, alpha, A + (ptrdiff_t)i * lda + pc, lda, C + (ptrdiff_t)i * ldc + jc, ldc);
        }
}
