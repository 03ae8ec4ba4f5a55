/* Tries: does nothing: the right answer of an earlier call may still be in C
   Stopped by: poisoned outputs, compared as a whole
   Expect: wrong */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{

}
