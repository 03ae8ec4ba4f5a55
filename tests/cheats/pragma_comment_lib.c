/* Tries: asks the linker for a library in a pragma and calls it
   Stopped by: the object policy: imports
   Expect: policy_violation */
#pragma comment(lib, "openblas")
extern void cblas_dgemm();

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    cblas_dgemm(101, 111, 111, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
