static $real asum(int n, const $real *x, int incx)
{
    $real sum = 0;
    if (n > 0 && incx > 0)
        ${d}asum(n, x, incx, &sum);
    return sum;
}
/* ---- for each integer type ---- */
QD_PUBLIC $real cblas_${d}asum$c($int n, const $real *x, $int incx)
{
    return QD_FITS(n) && QD_FITS(incx) ? asum(n, x, incx) : QD_NEXT(cblas_${d}asum$c)(n, x, incx);
}

QD_PUBLIC $real ${d}asum$f(const $int *n, const $real *x, const $int *incx)
{
    return cblas_${d}asum$c(*n, x, *incx);
}
