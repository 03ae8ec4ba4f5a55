static void swap(int n, $real *x, int incx, $real *y, int incy)
{
    if (n <= 0)
        return;
    if (incx != 0 && incy != 0) {
        ${d}swap(n, x, incx, y, incy);
        return;
    }
    for (ptrdiff_t i = 0, ix = qd_first(n, incx), iy = qd_first(n, incy); i < n; i++, ix += incx, iy += incy)
        {
        $real kept = x[ix];
        x[ix] = y[iy];
        y[iy] = kept;
    } /* kernels take no increment of 0 */
}
/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}swap$c($int n, $real *x, $int incx, $real *y, $int incy)
{
    if (QD_FITS(n) && QD_FITS(incx) && QD_FITS(incy))
        swap(n, x, incx, y, incy);
    else
        QD_NEXT(cblas_${d}swap$c)(n, x, incx, y, incy);
}

QD_PUBLIC void ${d}swap$f(const $int *n, $real *x, const $int *incx, $real *y, const $int *incy)
{
    cblas_${d}swap$c(*n, x, *incx, y, *incy);
}
