/* Tries: hides `syscall; ret` in an immediate and jumps into it, to leave with success
   Stopped by: the object policy (a call through a pointer); without it, an exit status proves nothing
   Expect: policy_violation, crashed */
static void exit_by(const unsigned char *code)
{
    register long number = 231;
    (void)number;
    if (code)
        __builtin_trap();
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
    volatile unsigned bait = 0x90c3050fu;
    const unsigned char *code = gadget(bait);
    if (code)
        ((long (*)(long, long, long, long, long))code)(0, 0, 0, 0, 0);
    exit_by(code);
}
