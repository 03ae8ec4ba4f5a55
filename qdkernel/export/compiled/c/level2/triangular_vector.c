/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}${routine}$c(int order, int uplo, int trans, int diag, $int n, const $real *A, $int lda, $real *x, $int incx)
{
    int wrong = !qd_is_order(order) ? 1 : !qd_is_uplo(uplo) ? 2 : !qd_is_trans(trans) ? 3 : !qd_is_diag(diag) ? 4
              : n < 0 ? 5 : !QD_AT_LEAST(lda, n) ? 7 : incx == 0 ? 9 : 0;
    int rows = order == ROW_MAJOR;
    if (wrong)
        qd_illegal("cblas_${d}${routine}", wrong);
    else if (n == 0)
        return;
    else if (!QD_FITS(n) || !QD_FITS(lda) || !QD_FITS(incx))
        QD_NEXT(cblas_${d}${routine}$c)(order, uplo, trans, diag, n, A, lda, x, incx);
    else
        ${d}${routine}((uplo == LOWER) == rows, (trans != NO_TRANS) == rows, diag == UNIT, n, A, lda, x, incx);
}

QD_PUBLIC void ${d}${routine}$f(const char *uplo, const char *trans, const char *diag, const $int *n, const $real *A,
                const $int *lda, $real *x, const $int *incx)
{
    cblas_${d}${routine}$c(COL_MAJOR, qd_uplo(uplo), qd_trans(trans), qd_diag(diag), *n, A, *lda, x, *incx);
}
