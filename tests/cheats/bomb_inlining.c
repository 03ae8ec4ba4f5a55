/* Tries: inlines functions that call each other twice, forty levels deep
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

static volatile int x;
static inline __attribute__((always_inline)) void f0(void) { x++; }
static inline __attribute__((always_inline)) void f1(void) { f0(); f0(); }
static inline __attribute__((always_inline)) void f2(void) { f1(); f1(); }
static inline __attribute__((always_inline)) void f3(void) { f2(); f2(); }
static inline __attribute__((always_inline)) void f4(void) { f3(); f3(); }
static inline __attribute__((always_inline)) void f5(void) { f4(); f4(); }
static inline __attribute__((always_inline)) void f6(void) { f5(); f5(); }
static inline __attribute__((always_inline)) void f7(void) { f6(); f6(); }
static inline __attribute__((always_inline)) void f8(void) { f7(); f7(); }
static inline __attribute__((always_inline)) void f9(void) { f8(); f8(); }
static inline __attribute__((always_inline)) void f10(void) { f9(); f9(); }
static inline __attribute__((always_inline)) void f11(void) { f10(); f10(); }
static inline __attribute__((always_inline)) void f12(void) { f11(); f11(); }
static inline __attribute__((always_inline)) void f13(void) { f12(); f12(); }
static inline __attribute__((always_inline)) void f14(void) { f13(); f13(); }
static inline __attribute__((always_inline)) void f15(void) { f14(); f14(); }
static inline __attribute__((always_inline)) void f16(void) { f15(); f15(); }
static inline __attribute__((always_inline)) void f17(void) { f16(); f16(); }
static inline __attribute__((always_inline)) void f18(void) { f17(); f17(); }
static inline __attribute__((always_inline)) void f19(void) { f18(); f18(); }
static inline __attribute__((always_inline)) void f20(void) { f19(); f19(); }
static inline __attribute__((always_inline)) void f21(void) { f20(); f20(); }
static inline __attribute__((always_inline)) void f22(void) { f21(); f21(); }
static inline __attribute__((always_inline)) void f23(void) { f22(); f22(); }
static inline __attribute__((always_inline)) void f24(void) { f23(); f23(); }
static inline __attribute__((always_inline)) void f25(void) { f24(); f24(); }
static inline __attribute__((always_inline)) void f26(void) { f25(); f25(); }
static inline __attribute__((always_inline)) void f27(void) { f26(); f26(); }
static inline __attribute__((always_inline)) void f28(void) { f27(); f27(); }
__attribute__((used)) void all(void) { f28(); }

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
