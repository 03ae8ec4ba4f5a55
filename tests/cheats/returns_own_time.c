/* Tries: returns a time that the harness may take for the kernel's
   Stopped by: the prototype is included by force
   Expect: compile_error */
double dgemm(int m, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb, double beta,
             double *C, int ldc)
{
    return 1e-9;
}
