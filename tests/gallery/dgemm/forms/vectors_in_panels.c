/* expect: packed/512/serial/none
   The panel is a C array of vectors; it is filled and read by subscripts, without a cast. */
typedef double vec __attribute__((vector_size(64)));
enum { KC = 112, NB = 24, MR = 5 };
static vec panel[NB][KC];

static void fill(int kc, int nc, const double *B, int ldb)
{
    for (int block = 0; 8 * block < nc; block++)
        for (int p = 0; p < kc; p++) {
            vec x = {0};
            for (int v = 0; v < 8 && 8 * block + v < nc; v++)
                x[v] = B[(ptrdiff_t)p * ldb + 8 * block + v];
            panel[block][p] = x;
        }
}

static inline __attribute__((always_inline)) void tile(int rows, int block, int kc, double alpha, const double *a, int lda,
                                                       double *c, int ldc, int width)
{
    vec sum[MR] = {0};
    for (int p = 0; p < kc; p++)
#pragma GCC unroll 5
        for (int r = 0; r < rows; r++)
            sum[r] += a[(ptrdiff_t)r * lda + p] * panel[block][p];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < width; v++)
            c[(ptrdiff_t)r * ldc + v] += alpha * sum[r][v];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    for (int jc = 0; jc < n; jc += NB * 8)
        for (int pc = 0; pc < k; pc += KC) {
            const int nc = n - jc < NB * 8 ? n - jc : NB * 8, kc = k - pc < KC ? k - pc : KC;
            fill(kc, nc, B + (ptrdiff_t)pc * ldb + jc, ldb);
            for (int block = 0; 8 * block < nc; block++) {
                const int width = nc - 8 * block < 8 ? nc - 8 * block : 8;
                double *c = C + jc + 8 * block;
                int i = 0;
                for (; i + MR <= m; i += MR)
                    tile(MR, block, kc, alpha, A + (ptrdiff_t)i * lda + pc, lda, c + (ptrdiff_t)i * ldc, ldc, width);
                for (; i < m; i++)
                    tile(1, block, kc, alpha, A + (ptrdiff_t)i * lda + pc, lda, c + (ptrdiff_t)i * ldc, ldc, width);
            }
        }
}
