/* The baseline: a vendor BLAS with 32-bit integers, its routine named by QD_SYMBOL, e.g. cblas_dgemm. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111 }; /* fixed by the CBLAS standard */

extern void QD_SYMBOL(int order, int transpose_a, int transpose_b, int m, int n, int k, double alpha, const double *A,
                      int lda, const double *B, int ldb, double beta, double *C, int ldc);

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb, double beta,
           double *restrict C, int ldc)
{
    QD_SYMBOL(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
