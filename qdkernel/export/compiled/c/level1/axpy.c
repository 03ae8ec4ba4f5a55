static void axpy(int n, $real alpha, const $real *x, int incx, $real *y, int incy)
{
    if (n <= 0 || alpha == 0)
        return;
    if (incx != 0 && incy != 0) {
        ${d}axpy(n, alpha, x, incx, y, incy);
        return;
    }
    for (ptrdiff_t i = 0, ix = qd_first(n, incx), iy = qd_first(n, incy); i < n; i++, ix += incx, iy += incy)
        y[iy] += alpha * x[ix]; /* kernels take no increment of 0 */
}
/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}axpy$c($int n, $real alpha, const $real *x, $int incx, $real *y, $int incy)
{
    if (QD_FITS(n) && QD_FITS(incx) && QD_FITS(incy))
        axpy(n, alpha, x, incx, y, incy);
    else
        QD_NEXT(cblas_${d}axpy$c)(n, alpha, x, incx, y, incy);
}

QD_PUBLIC void ${d}axpy$f(const $int *n, const $real *alpha, const $real *x, const $int *incx, $real *y, const $int *incy)
{
    cblas_${d}axpy$c(*n, *alpha, x, *incx, y, *incy);
}
