/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}gemv$c(int order, int trans, $int m, $int n, $real alpha, const $real *A, $int lda, const $real *x,
                  $int incx, $real beta, $real *y, $int incy)
{
    int wrong = !qd_is_order(order) ? 1 : !qd_is_trans(trans) ? 2 : m < 0 ? 3 : n < 0 ? 4
              : !QD_AT_LEAST(lda, order == ROW_MAJOR ? n : m) ? 7 : incx == 0 ? 9 : incy == 0 ? 12 : 0;
    if (wrong)
        qd_illegal("cblas_${d}gemv", wrong);
    else if (m == 0 || n == 0 || (alpha == 0 && beta == 1))
        return;
    else if (!QD_FITS(m) || !QD_FITS(n) || !QD_FITS(lda) || !QD_FITS(incx) || !QD_FITS(incy))
        QD_NEXT(cblas_${d}gemv$c)(order, trans, m, n, alpha, A, lda, x, incx, beta, y, incy);
    else if (order == ROW_MAJOR)
        ${d}gemv(trans != NO_TRANS, m, n, alpha, A, lda, x, incx, beta, y, incy);
    else
        ${d}gemv(trans == NO_TRANS, n, m, alpha, A, lda, x, incx, beta, y, incy);
}

QD_PUBLIC void ${d}gemv$f(const char *trans, const $int *m, const $int *n, const $real *alpha, const $real *A,
                const $int *lda, const $real *x, const $int *incx, const $real *beta, $real *y, const $int *incy)
{
    cblas_${d}gemv$c(COL_MAJOR, qd_trans(trans), *m, *n, *alpha, A, *lda, x, *incx, *beta, y, *incy);
}
