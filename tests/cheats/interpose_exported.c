/* Tries: asks for a second exported symbol by a visibility attribute and counts on it being taken for a library
              function
   Stopped by: the version script: nothing but the problem's function is exported
   Expect: wrong */
__attribute__((used, visibility("default"))) void *memcpy(void *to, const void *from, unsigned long size)
{
    return to;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    return;
}
