/* expect: none/512/nested/far
   One task per row, by SVE intrinsics; B is fetched into L2 only. */
#include <arm_sve.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < m; i++)
#pragma omp task firstprivate(i)
    {
        double *c = C + (ptrdiff_t)i * ldc;
        for (int j = 0; j < n; j++)
            c[j] = beta == 0 ? 0 : beta * c[j];
        for (int p = 0; p < k; p++) {
            const double a = alpha * A[(ptrdiff_t)i * lda + p], *b = B + (ptrdiff_t)p * ldb;
            for (int j = 0; j < n; j += (int)svcntd()) {
                const svbool_t rest = svwhilelt_b64(j, n);
                svprfd(rest, b + ldb + j, SV_PLDL2KEEP);
                svst1_f64(rest, c + j, svmla_n_f64_m(rest, svld1_f64(rest, c + j), svld1_f64(rest, b + j), a));
            }
        }
    }
}
