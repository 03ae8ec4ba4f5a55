/* expect: register/128/serial/none
   The register tile is a structure that functions take and return by value. */
typedef double vec __attribute__((vector_size(16), aligned(8), may_alias));

struct tile {
    vec row[3][2];
};

static inline struct tile zero(void)
{
    return (struct tile){0};
}

static inline struct tile rank1(struct tile t, const double *a, int lda, const double *b)
{
    const vec left = *(const vec *)b, right = *(const vec *)(b + 2);
    for (int r = 0; r < 3; r++) {
        t.row[r][0] += a[(ptrdiff_t)r * lda] * left;
        t.row[r][1] += a[(ptrdiff_t)r * lda] * right;
    }
    return t;
}

static inline void add(double alpha, struct tile t, double *c, int ldc)
{
    for (int r = 0; r < 3; r++, c += ldc) {
        *(vec *)c += alpha * t.row[r][0];
        *(vec *)(c + 2) += alpha * t.row[r][1];
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
    const int m3 = m / 3 * 3, n4 = n / 4 * 4;
    for (int i = 0; i < m3; i += 3)
        for (int j = 0; j < n4; j += 4) {
            struct tile t = zero();
            for (int p = 0; p < k; p++)
                t = rank1(t, A + (ptrdiff_t)i * lda + p, lda, B + (ptrdiff_t)p * ldb + j);
            add(alpha, t, C + (ptrdiff_t)i * ldc + j, ldc);
        }
    for (int i = 0; i < m; i++)
        for (int j = i < m3 ? n4 : 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; p < k; p++)
                sum += A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)p * ldb + j];
            C[(ptrdiff_t)i * ldc + j] += alpha * sum;
        }
}
