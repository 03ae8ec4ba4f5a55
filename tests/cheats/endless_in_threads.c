/* Tries: keeps every thread busy for ever
   Stopped by: the deadline; the whole process group is killed
   Expect: timeout */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    volatile int x = 1;
    #pragma omp parallel
    while (x)
        ;
}
