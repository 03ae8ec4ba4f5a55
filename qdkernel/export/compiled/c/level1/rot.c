static void rot(int n, $real *x, int incx, $real *y, int incy, $real c, $real s)
{
    if (n <= 0)
        return;
    if (incx != 0 && incy != 0) {
        ${d}rot(n, x, incx, y, incy, c, s);
        return;
    }
    for (ptrdiff_t i = 0, ix = qd_first(n, incx), iy = qd_first(n, incy); i < n; i++, ix += incx, iy += incy) {
        $real turned = c * x[ix] + s * y[iy]; /* kernels take no increment of 0 */
        y[iy] = c * y[iy] - s * x[ix];
        x[ix] = turned;
    }
}
/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}rot$c($int n, $real *x, $int incx, $real *y, $int incy, $real c, $real s)
{
    if (QD_FITS(n) && QD_FITS(incx) && QD_FITS(incy))
        rot(n, x, incx, y, incy, c, s);
    else
        QD_NEXT(cblas_${d}rot$c)(n, x, incx, y, incy, c, s);
}

QD_PUBLIC void ${d}rot$f(const $int *n, $real *x, const $int *incx, $real *y, const $int *incy, const $real *c, const $real *s)
{
    cblas_${d}rot$c(*n, x, *incx, y, *incy, *c, *s);
}
