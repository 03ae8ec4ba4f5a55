/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}syr2k$c(int order, int uplo, int trans, $int n, $int k, $real alpha, const $real *A, $int lda,
                   const $real *B, $int ldb, $real beta, $real *C, $int ldc)
{
    int rows = order == ROW_MAJOR, turned = (trans != NO_TRANS) == rows, lower = (uplo == LOWER) == rows;
    int wrong = !qd_is_order(order) ? 1 : !qd_is_uplo(uplo) ? 2 : !qd_is_trans(trans) ? 3 : n < 0 ? 4 : k < 0 ? 5
              : !QD_AT_LEAST(lda, turned ? n : k) ? 8 : !QD_AT_LEAST(ldb, turned ? n : k) ? 10
              : !QD_AT_LEAST(ldc, n) ? 13 : 0;
    if (wrong)
        qd_illegal("cblas_${d}syr2k", wrong);
    else if (n == 0 || ((alpha == 0 || k == 0) && beta == 1))
        return;
    else if (!QD_FITS(n) || !QD_FITS(k) || !QD_FITS(lda) || !QD_FITS(ldb) || !QD_FITS(ldc))
        QD_NEXT(cblas_${d}syr2k$c)(order, uplo, trans, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    else
        ${d}syr2k(lower, turned, n, k ? k : 1, k ? alpha : 0, A, lda, B, ldb, beta, C, ldc);
}

QD_PUBLIC void ${d}syr2k$f(const char *uplo, const char *trans, const $int *n, const $int *k, const $real *alpha, const $real *A,
                 const $int *lda, const $real *B, const $int *ldb, const $real *beta, $real *C, const $int *ldc)
{
    cblas_${d}syr2k$c(COL_MAJOR, qd_uplo(uplo), qd_trans(trans), *n, *k, *alpha, A, *lda, B, *ldb, *beta, C, *ldc);
}
