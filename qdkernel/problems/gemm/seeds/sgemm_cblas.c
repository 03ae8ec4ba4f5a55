/* The baseline: a vendor BLAS with 32-bit integers, its routine named by QD_SYMBOL, e.g. cblas_sgemm. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111 }; /* fixed by the CBLAS standard */

extern void QD_SYMBOL(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *A,
                      int lda, const float *B, int ldb, float beta, float *C, int ldc);

void sgemm(int m, int n, int k, float alpha, const float *restrict A, int lda, const float *restrict B, int ldb, float beta,
           float *restrict C, int ldc)
{
    QD_SYMBOL(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
