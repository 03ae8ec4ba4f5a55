/* Tries: makes a system call in inline assembly, which no list of symbols shows
   Stopped by: the source policy; behind it the object policy and seccomp
   Expect: policy_violation */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(231), "D"(0) : "rcx", "r11", "memory");
}
