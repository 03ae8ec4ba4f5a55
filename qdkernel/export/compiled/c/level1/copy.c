static void copy(int n, const $real *x, int incx, $real *y, int incy)
{
    if (n <= 0)
        return;
    if (incx != 0 && incy != 0) {
        ${d}copy(n, x, incx, y, incy);
        return;
    }
    for (ptrdiff_t i = 0, ix = qd_first(n, incx), iy = qd_first(n, incy); i < n; i++, ix += incx, iy += incy)
        y[iy] = x[ix]; /* kernels take no increment of 0 */
}
/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}copy$c($int n, const $real *x, $int incx, $real *y, $int incy)
{
    if (QD_FITS(n) && QD_FITS(incx) && QD_FITS(incy))
        copy(n, x, incx, y, incy);
    else
        QD_NEXT(cblas_${d}copy$c)(n, x, incx, y, incy);
}

QD_PUBLIC void ${d}copy$f(const $int *n, const $real *x, const $int *incx, $real *y, const $int *incy)
{
    cblas_${d}copy$c(*n, x, *incx, y, *incy);
}
