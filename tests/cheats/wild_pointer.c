/* Tries: writes everywhere it can reach from C upwards
   Stopped by: unmapped pages around every array
   Expect: crashed */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (long i = 0;; i++)
        ((volatile double *)C)[i] = 1;
}
