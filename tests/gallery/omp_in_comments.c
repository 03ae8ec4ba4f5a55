/* expect: none/scalar/serial/none
   Decoy: OpenMP, tiles and prefetches in comments, strings and dropped text only. */
/* #pragma omp parallel for collapse(2) schedule(dynamic)
   for (int ii = 0; ii < m; ii += 64) __builtin_prefetch(A + ii); */
static const char note[] = "GOMP_parallel omp_get_thread_num prefetcht0 zmm";
#if 0
#pragma omp parallel for
#endif
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    // #pragma omp parallel for
    for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++) {
            double sum = 0 * (double)sizeof note;
            const double *a = A + (ptrdiff_t)i * lda;
            for (ptrdiff_t at = j; at < (ptrdiff_t)k * ldb; at += ldb)
                sum += *a++ * B[at];
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? alpha * sum : alpha * sum + beta * C[(ptrdiff_t)i * ldc + j];
        }
}
