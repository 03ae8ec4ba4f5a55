static void $routine(int right, int lower, int trans, int unit, int m, int n, $real alpha, const $real *A, int lda, $real *B, int ldb)
{
    if (alpha != 0) {
        ${d}${routine}(right, lower, trans, unit, m, n, alpha, A, lda, B, ldb);
        return;
    }
    for (int i = 0; i < m; i++) /* A is not read */
        for (int j = 0; j < n; j++)
            B[(ptrdiff_t)i * ldb + j] = 0;
}
/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}${routine}$c(int order, int side, int uplo, int trans, int diag, $int m, $int n, $real alpha, const $real *A,
                  $int lda, $real *B, $int ldb)
{
    int rows = order == ROW_MAJOR, right = (side == RIGHT) == rows, lower = (uplo == LOWER) == rows;
    int wrong = !qd_is_order(order) ? 1 : !qd_is_side(side) ? 2 : !qd_is_uplo(uplo) ? 3 : !qd_is_trans(trans) ? 4
              : !qd_is_diag(diag) ? 5 : m < 0 ? 6 : n < 0 ? 7 : !QD_AT_LEAST(lda, side == LEFT ? m : n) ? 10
              : !QD_AT_LEAST(ldb, rows ? n : m) ? 12 : 0;
    if (wrong)
        qd_illegal("cblas_${d}${routine}", wrong);
    else if (m == 0 || n == 0)
        return;
    else if (!QD_FITS(m) || !QD_FITS(n) || !QD_FITS(lda) || !QD_FITS(ldb))
        QD_NEXT(cblas_${d}${routine}$c)(order, side, uplo, trans, diag, m, n, alpha, A, lda, B, ldb);
    else
        $routine(right, lower, trans != NO_TRANS, diag == UNIT, rows ? m : n, rows ? n : m, alpha, A, lda, B, ldb);
}

QD_PUBLIC void ${d}${routine}$f(const char *side, const char *uplo, const char *trans, const char *diag, const $int *m, const $int *n,
                const $real *alpha, const $real *A, const $int *lda, $real *B, const $int *ldb)
{
    cblas_${d}${routine}$c(COL_MAJOR, qd_side(side), qd_uplo(uplo), qd_trans(trans), qd_diag(diag), *m, *n, *alpha, A, *lda, B, *ldb);
}
