#if !QD_HAS_TRANS
/* The transpose of a rows x columns matrix, to be freed. */
static $real *transposed(int rows, int columns, const $real *from, int ld)
{
    enum { TILE = 32 };
    $real *to = malloc((size_t)rows * columns * sizeof *to);
    if (!to) {
        fputs("qdkernel: cblas_${d}gemm: no memory for a transposed copy\n", stderr);
        abort();
    }
#pragma omp parallel for schedule(static)
    for (int top = 0; top < rows; top += TILE)
        for (int left = 0; left < columns; left += TILE)
            for (int j = left; j < left + TILE && j < columns; j++)
                for (int i = top; i < top + TILE && i < rows; i++)
                    to[(size_t)j * rows + i] = from[(size_t)i * ld + j];
    return to;
}
#endif

/* C = alpha op(A) op(B) + beta C, row major; op(A) is m x k, op(B) is k x n, m and n are positive. */
static void product(int transa, int transb, int m, int n, int k, $real alpha, const $real *A, int lda, const $real *B, int ldb,
                    $real beta, $real *C, int ldc)
{
    if (k == 0 || alpha == 0) { /* no kernel reads A or B then */
        alpha = 0;
        transa = transb = 0;
        k = 1;
        lda = 1;
        ldb = n;
    }
#if QD_HAS_TRANS
#if QD_HAS_PLAIN
    if (!transa && !transb) {
        ${d}gemm(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
        return;
    }
#endif
    ${d}gemm_trans(transa, transb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
#else
    $real *a = transa ? transposed(k, m, A, lda) : NULL, *b = transb ? transposed(n, k, B, ldb) : NULL;
    ${d}gemm(m, n, k, alpha, a ? a : A, a ? k : lda, b ? b : B, b ? n : ldb, beta, C, ldc);
    free(a);
    free(b);
#endif
}
/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}gemm$c(int order, int transa, int transb, $int m, $int n, $int k, $real alpha, const $real *A, $int lda,
                  const $real *B, $int ldb, $real beta, $real *C, $int ldc)
{
    int rows = order == ROW_MAJOR, ta = transa != NO_TRANS, tb = transb != NO_TRANS;
    int wrong = !qd_is_order(order) ? 1 : !qd_is_trans(transa) ? 2 : !qd_is_trans(transb) ? 3
              : m < 0 ? 4 : n < 0 ? 5 : k < 0 ? 6
              : !QD_AT_LEAST(lda, ta == rows ? m : k) ? 9 : !QD_AT_LEAST(ldb, tb == rows ? k : n) ? 11
              : !QD_AT_LEAST(ldc, rows ? n : m) ? 14 : 0;
    if (wrong)
        qd_illegal("cblas_${d}gemm", wrong);
    else if (m == 0 || n == 0 || ((alpha == 0 || k == 0) && beta == 1))
        return;
    else if (!QD_FITS(m) || !QD_FITS(n) || !QD_FITS(k) || !QD_FITS(lda) || !QD_FITS(ldb) || !QD_FITS(ldc))
        QD_NEXT(cblas_${d}gemm$c)(order, transa, transb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    else if (rows)
        product(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    else
        product(tb, ta, n, m, k, alpha, B, ldb, A, lda, beta, C, ldc); /* the transposes, multiplied the other way */
}

QD_PUBLIC void ${d}gemm$f(const char *transa, const char *transb, const $int *m, const $int *n, const $int *k, const $real *alpha,
                const $real *A, const $int *lda, const $real *B, const $int *ldb, const $real *beta, $real *C,
                const $int *ldc)
{
    cblas_${d}gemm$c(COL_MAJOR, qd_trans(transa), qd_trans(transb), *m, *n, *k, *alpha, A, *lda, B, *ldb, *beta, C, *ldc);
}
