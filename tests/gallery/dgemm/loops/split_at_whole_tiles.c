/* expect: cache+register/512/serial/near
   Index sets are split at the last whole tile: the main part has no bound checks, the rest a loop nest of its own. */
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));
#define KC 128

static inline void tile(int kc, double alpha, const double *a, int lda, const double *b, int ldb, double *c, int ldc)
{
    vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, s4 = {0}, s5 = {0}, s6 = {0}, s7 = {0};
    for (int p = 0; p < kc; p++, a++, b += ldb) {
        const vec x = *(const vec *)b, y = *(const vec *)(b + 8);
        __builtin_prefetch(b + 4 * (ptrdiff_t)ldb);
        s0 += a[0] * x;
        s1 += a[0] * y;
        s2 += a[lda] * x;
        s3 += a[lda] * y;
        s4 += a[2 * (ptrdiff_t)lda] * x;
        s5 += a[2 * (ptrdiff_t)lda] * y;
        s6 += a[3 * (ptrdiff_t)lda] * x;
        s7 += a[3 * (ptrdiff_t)lda] * y;
    }
    *(vec *)c += alpha * s0;
    *(vec *)(c + 8) += alpha * s1;
    c += ldc;
    *(vec *)c += alpha * s2;
    *(vec *)(c + 8) += alpha * s3;
    c += ldc;
    *(vec *)c += alpha * s4;
    *(vec *)(c + 8) += alpha * s5;
    c += ldc;
    *(vec *)c += alpha * s6;
    *(vec *)(c + 8) += alpha * s7;
}

static void rest(int i0, int i1, int j0, int j1, int kc, double alpha, const double *A, int lda, const double *B, int ldb,
                 double *C, int ldc)
{
    for (int i = i0; i < i1; i++)
        for (int p = 0; p < kc; p++)
            for (int j = j0; j < j1; j++)
                C[(ptrdiff_t)i * ldc + j] += alpha * A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)p * ldb + j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    const int m4 = m - m % 4, n16 = n - n % 16;
    for (int pc = 0; pc < k; pc += KC) {
        const int kc = k - pc < KC ? k - pc : KC;
        const double *a = A + pc, *b = B + (ptrdiff_t)pc * ldb;
        for (int j = 0; j < n16; j += 16)
            for (int i = 0; i < m4; i += 4)
                tile(kc, alpha, a + (ptrdiff_t)i * lda, lda, b + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
        rest(0, m4, n16, n, kc, alpha, a, lda, b, ldb, C, ldc);
        rest(m4, m, 0, n, kc, alpha, a, lda, b, ldb, C, ldc);
    }
}
