static $real dot(int n, const $real *x, int incx, const $real *y, int incy)
{
    $real sum = 0;
    if (n > 0 && incx != 0 && incy != 0)
        ${d}dot(n, x, incx, y, incy, &sum);
    else
        for (ptrdiff_t i = 0, ix = qd_first(n, incx), iy = qd_first(n, incy); i < n; i++, ix += incx, iy += incy)
            sum += x[ix] * y[iy]; /* kernels take no increment of 0 */
    return sum;
}
/* ---- for each integer type ---- */
QD_PUBLIC $real cblas_${d}dot$c($int n, const $real *x, $int incx, const $real *y, $int incy)
{
    if (QD_FITS(n) && QD_FITS(incx) && QD_FITS(incy))
        return dot(n, x, incx, y, incy);
    return QD_NEXT(cblas_${d}dot$c)(n, x, incx, y, incy);
}

QD_PUBLIC $real ${d}dot$f(const $int *n, const $real *x, const $int *incx, const $real *y, const $int *incy)
{
    return cblas_${d}dot$c(*n, x, *incx, y, *incy);
}
