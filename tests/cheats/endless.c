/* Tries: never returns
   Stopped by: the deadline
   Expect: timeout */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    volatile int x = 1;
    while (x)
        ;
}
