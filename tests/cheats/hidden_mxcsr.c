/* Tries: hides `ldmxcsr [rdi]; ret` in an immediate and jumps into it, to flush subnormals
   Stopped by: the object policy (a call through a pointer); without it, control registers are compared
   Expect: policy_violation, wrong, crashed */
static void honest(int m, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb,
                   double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
            double *c = C + (long)i * ldc + j;
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
}

/* Finds the bytes of an instruction in an immediate of our own code. */
static const unsigned char *gadget(unsigned wanted)
{
    const unsigned char *code = (const unsigned char *)dgemm;
    for (int i = 0; i < 4000; i++)
        if (code[i] == (wanted & 255) && code[i + 1] == (wanted >> 8 & 255) && code[i + 2] == (wanted >> 16 & 255) &&
            code[i + 3] == wanted >> 24)
            return code + i;
    return 0;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    volatile unsigned bait = 0xc317ae0fu;
    unsigned mode = 0x9fc0;
    const unsigned char *code = gadget(bait);
    if (code)
        ((void (*)(unsigned *))code)(&mode);
    else
        __builtin_trap();
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
