/* Tries: doubles the size of a type thirty times
   Stopped by: the compiler's limits of time, memory and file size
   Expect: compile_error, timeout, policy_violation */
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

typedef struct { char c[1 << 20]; } t0;
typedef struct { t0 a[2], b[2]; } t1;
typedef struct { t1 a[2], b[2]; } t2;
typedef struct { t2 a[2], b[2]; } t3;
typedef struct { t3 a[2], b[2]; } t4;
typedef struct { t4 a[2], b[2]; } t5;
typedef struct { t5 a[2], b[2]; } t6;
typedef struct { t6 a[2], b[2]; } t7;
typedef struct { t7 a[2], b[2]; } t8;
typedef struct { t8 a[2], b[2]; } t9;
typedef struct { t9 a[2], b[2]; } t10;
typedef struct { t10 a[2], b[2]; } t11;
typedef struct { t11 a[2], b[2]; } t12;
t12 big = {{{{{{{{{1}}}}}}}}};

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
