static void scal(int n, $real alpha, $real *x, int incx)
{
    if (n <= 0 || incx <= 0)
        return;
    if (alpha != 0)
        ${d}scal(n, alpha, x, incx);
    else
        for (ptrdiff_t i = 0; i < n; i++)
            x[i * incx] *= alpha; /* kernels need not keep NaN when alpha is 0 */
}
/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}scal$c($int n, $real alpha, $real *x, $int incx)
{
    if (QD_FITS(n) && QD_FITS(incx))
        scal(n, alpha, x, incx);
    else
        QD_NEXT(cblas_${d}scal$c)(n, alpha, x, incx);
}

QD_PUBLIC void ${d}scal$f(const $int *n, const $real *alpha, $real *x, const $int *incx)
{
    cblas_${d}scal$c(*n, *alpha, x, *incx);
}
