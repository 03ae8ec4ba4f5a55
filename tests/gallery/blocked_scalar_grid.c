/* expect: cache+register/scalar/nested/none
   Threads form a grid by hand: a number is taken apart into a row and a column. */
#include <omp.h>
#define ROWS 64

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

/* Four rows of one column of C. */
static void strip(int k, double alpha, const double *A, int lda, const double *B, int ldb, double *c, int ldc)
{
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (ptrdiff_t at = 0; at < (ptrdiff_t)k * ldb; at += ldb, A++) {
        s0 += A[0] * B[at];
        s1 += A[lda] * B[at];
        s2 += A[2 * (ptrdiff_t)lda] * B[at];
        s3 += A[3 * (ptrdiff_t)lda] * B[at];
    }
    c[0] += alpha * s0;
    c[ldc] += alpha * s1;
    c[2 * (ptrdiff_t)ldc] += alpha * s2;
    c[3 * (ptrdiff_t)ldc] += alpha * s3;
}

/* m is a multiple of 4. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
#pragma omp parallel
    {
        int across = 1;
        while ((across + 1) * (across + 1) <= omp_get_num_threads())
            across++;
        const int down = omp_get_num_threads() / across, me = omp_get_thread_num();
        const int row = me / across, column = me % across;
        if (row < down)
            for (int ii = row * ROWS; ii < m; ii += down * ROWS)
                for (int jj = column * ROWS; jj < n; jj += across * ROWS)
                    for (int i = ii; i < min(ii + ROWS, m); i += 4)
                        for (int j = jj; j < min(jj + ROWS, n); j++)
                            strip(k, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
    }
}
