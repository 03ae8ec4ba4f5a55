/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}ger$c(int order, $int m, $int n, $real alpha, const $real *x, $int incx, const $real *y, $int incy,
                 $real *A, $int lda)
{
    int wrong = !qd_is_order(order) ? 1 : m < 0 ? 2 : n < 0 ? 3 : incx == 0 ? 6 : incy == 0 ? 8
              : !QD_AT_LEAST(lda, order == ROW_MAJOR ? n : m) ? 10 : 0;
    if (wrong)
        qd_illegal("cblas_${d}ger", wrong);
    else if (m == 0 || n == 0 || alpha == 0)
        return;
    else if (!QD_FITS(m) || !QD_FITS(n) || !QD_FITS(lda) || !QD_FITS(incx) || !QD_FITS(incy))
        QD_NEXT(cblas_${d}ger$c)(order, m, n, alpha, x, incx, y, incy, A, lda);
    else if (order == ROW_MAJOR)
        ${d}ger(m, n, alpha, x, incx, y, incy, A, lda);
    else
        ${d}ger(n, m, alpha, y, incy, x, incx, A, lda);
}

QD_PUBLIC void ${d}ger$f(const $int *m, const $int *n, const $real *alpha, const $real *x, const $int *incx, const $real *y,
               const $int *incy, $real *A, const $int *lda)
{
    cblas_${d}ger$c(COL_MAJOR, *m, *n, *alpha, x, *incx, y, *incy, A, *lda);
}
