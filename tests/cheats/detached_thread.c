/* Tries: starts a thread that computes after the call has returned
   Stopped by: the object policy
   Expect: policy_violation */
typedef unsigned long pthread_t_;
extern int pthread_create(pthread_t_ *, const void *, void *(*)(void *), void *);
static void *later(void *x) { return x; }

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    pthread_t_ t;
    pthread_create(&t, 0, later, 0);
}
