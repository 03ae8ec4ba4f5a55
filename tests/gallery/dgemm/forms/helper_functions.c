/* expect: register/256/serial/none
   Every operation is a helper function: load, broadcast, multiply-add, store, and the loops around them. */
typedef double v4d __attribute__((vector_size(32), aligned(8), may_alias));

static inline v4d load(const double *from) { return *(const v4d *)from; }
static inline void store(double *to, v4d value) { *(v4d *)to = value; }
static inline v4d all(double value) { return (v4d){value, value, value, value}; }
static inline v4d madd(v4d a, v4d b, v4d c) { return a * b + c; }
static inline const double *row(const double *M, int ld, int i) { return M + (ptrdiff_t)i * ld; }

static inline void step(v4d *sum, const double *a, int lda, v4d b)
{
    sum[0] = madd(all(*row(a, lda, 0)), b, sum[0]);
    sum[1] = madd(all(*row(a, lda, 1)), b, sum[1]);
    sum[2] = madd(all(*row(a, lda, 2)), b, sum[2]);
    sum[3] = madd(all(*row(a, lda, 3)), b, sum[3]);
    sum[4] = madd(all(*row(a, lda, 4)), b, sum[4]);
}

static void strip(int k, double alpha, const double *a, int lda, const double *b, int ldb, double *c, int ldc)
{
    v4d sum[5] = {all(0), all(0), all(0), all(0), all(0)};
    for (int p = 0; p < k; p++)
        step(sum, a + p, lda, load(row(b, ldb, p)));
    for (int r = 0; r < 5; r++)
        store(c + (ptrdiff_t)r * ldc, madd(all(alpha), sum[r], load(c + (ptrdiff_t)r * ldc)));
}

static void element(int k, double alpha, const double *a, const double *b, int ldb, double *c)
{
    double sum = 0;
    for (int p = 0; p < k; p++)
        sum += a[p] * *row(b, ldb, p);
    *c += alpha * sum;
}

static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0)
        return;
    const int m5 = m / 5 * 5, n4 = n / 4 * 4;
    for (int i = 0; i < m5; i += 5)
        for (int j = 0; j < n4; j += 4)
            strip(k, alpha, row(A, lda, i), lda, B + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
    for (int i = 0; i < m; i++)
        for (int j = i < m5 ? n4 : 0; j < n; j++)
            element(k, alpha, row(A, lda, i), B + j, ldb, C + (ptrdiff_t)i * ldc + j);
}
