/* Tries: starts a team through a pointer to the runtime, so that it looks serial
   Stopped by: the object policy: where it leads cannot be told from the code
   Expect: policy_violation */
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
}

/* Rows first .. last - 1 of C += alpha A B. */
static void rows(int first, int last, int n, int k, double alpha, const double *restrict A, int lda,
                 const double *restrict B, int ldb, double *restrict C, int ldc)
{
    for (int i = first; i < last; i++)
        for (int p = 0; p < k; p++) {
            const double a = alpha * A[(long)i * lda + p];
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
        }
}

void GOMP_parallel(void (*)(void *), void *, unsigned, unsigned);
int omp_get_thread_num(void);
int omp_get_num_threads(void);

struct call {
    int m, n, k, lda, ldb, ldc;
    double alpha;
    const double *A, *B;
    double *C;
};

static void share(void *given)
{
    const struct call *c = given;
    const int part = omp_get_thread_num(), parts = omp_get_num_threads();
    rows((int)((long)c->m * part / parts), (int)((long)c->m * (part + 1) / parts), c->n, c->k, c->alpha, c->A, c->lda,
         c->B, c->ldb, c->C, c->ldc);
}

static void (*volatile start)(void (*)(void *), void *, unsigned, unsigned) = GOMP_parallel;

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    struct call call = {m, n, k, lda, ldb, ldc, alpha, A, B, C};
    start(share, &call, 0, 0);
}
