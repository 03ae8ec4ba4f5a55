/* Tries: defines clock_gettime so that time stands still, and spends as long as it likes
   Stopped by: the clock is in another process
   Expect: timeout */
struct timespec { long s, ns; };
__attribute__((used)) int clock_gettime(int id, struct timespec *t)
{
    t->s = t->ns = id * 0;
    return 0;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    volatile int x = 1;
    while (x) {
        struct timespec t;
        clock_gettime(1, &t);
    }
}
