/* Tries: catches the fault of a wild access and goes on
   Stopped by: the object policy
   Expect: policy_violation */
extern void (*signal(int, void (*)(int)))(int);
static void caught(int number) {}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    signal(11, caught);
    *(volatile int *)8 = 1;
}
