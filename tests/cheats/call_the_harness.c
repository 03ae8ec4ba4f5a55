/* Tries: calls the reference or the trampoline that a harness may have beside it
   Stopped by: the object policy: unknown symbols
   Expect: policy_violation */
extern void qd_call(void (*)(void), const void *);

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    qd_call(0, 0);
}
