/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}symv$c(int order, int uplo, $int n, $real alpha, const $real *A, $int lda, const $real *x, $int incx,
                  $real beta, $real *y, $int incy)
{
    int wrong = !qd_is_order(order) ? 1 : !qd_is_uplo(uplo) ? 2 : n < 0 ? 3 : !QD_AT_LEAST(lda, n) ? 6
              : incx == 0 ? 8 : incy == 0 ? 11 : 0;
    if (wrong)
        qd_illegal("cblas_${d}symv", wrong);
    else if (n == 0 || (alpha == 0 && beta == 1))
        return;
    else if (!QD_FITS(n) || !QD_FITS(lda) || !QD_FITS(incx) || !QD_FITS(incy))
        QD_NEXT(cblas_${d}symv$c)(order, uplo, n, alpha, A, lda, x, incx, beta, y, incy);
    else
        ${d}symv((uplo == LOWER) == (order == ROW_MAJOR), n, alpha, A, lda, x, incx, beta, y, incy);
}

QD_PUBLIC void ${d}symv$f(const char *uplo, const $int *n, const $real *alpha, const $real *A, const $int *lda, const $real *x,
                const $int *incx, const $real *beta, $real *y, const $int *incy)
{
    cblas_${d}symv$c(COL_MAJOR, qd_uplo(uplo), *n, *alpha, A, *lda, x, *incx, *beta, y, *incy);
}
