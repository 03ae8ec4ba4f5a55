/* Tries: leaves with success before anything is checked
   Stopped by: the object policy; and an exit status proves nothing
   Expect: policy_violation */
#include <stdlib.h>

static void leave(void) { _Exit(0); }

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    atexit(leave);
}
