/* Tries: starts a C11 thread
   Stopped by: the object policy
   Expect: policy_violation */
extern int thrd_create(unsigned long *, int (*)(void *), void *);
static int later(void *x) { return 0; }

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    unsigned long t;
    thrd_create(&t, later, 0);
}
