static int iamax(int n, const $real *x, int incx)
{
    int at = 0;
    if (n > 0 && incx > 0)
        i${d}amax(n, x, incx, &at);
    return at;
}
/* ---- for each integer type ---- */
QD_PUBLIC size_t cblas_i${d}amax$c($int n, const $real *x, $int incx)
{
    return QD_FITS(n) && QD_FITS(incx) ? (size_t)iamax(n, x, incx) : QD_NEXT(cblas_i${d}amax$c)(n, x, incx);
}

/* From 1 in Fortran; 0 for no element. */
QD_PUBLIC $int i${d}amax$f(const $int *n, const $real *x, const $int *incx)
{
    return *n > 0 && *incx > 0 ? ($int)cblas_i${d}amax$c(*n, x, *incx) + 1 : 0;
}
