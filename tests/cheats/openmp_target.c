/* Tries: offloads to another device
   Stopped by: the object policy
   Expect: policy_violation, compile_error */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    #pragma omp target map(tofrom: C[0:1])
    C[0] = 1;
}
