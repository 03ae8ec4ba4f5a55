/* Tries: jumps to a frame that it made up, with the compiler's own longjmp
   Stopped by: the object policy (a jump through a pointer)
   Expect: policy_violation, crashed, wrong, compile_error */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    static void *buffer[5];
    buffer[0] = buffer;
    buffer[1] = (void *)16;
    buffer[2] = buffer;
    __builtin_longjmp(buffer, 1);
}
