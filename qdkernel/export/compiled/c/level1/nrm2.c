#include <math.h>

static $real nrm2(int n, const $real *x, int incx)
{
    $real norm = 0;
    if (n > 0 && incx != 0)
        ${d}nrm2(n, x, abs(incx), &norm); /* the same elements in the other order */
    else if (n > 0)
        norm = ($real)(sqrt(n) * fabs(*x));
    return norm;
}
/* ---- for each integer type ---- */
QD_PUBLIC $real cblas_${d}nrm2$c($int n, const $real *x, $int incx)
{
    return QD_FITS(n) && QD_FITS(incx) ? nrm2(n, x, incx) : QD_NEXT(cblas_${d}nrm2$c)(n, x, incx);
}

QD_PUBLIC $real ${d}nrm2$f(const $int *n, const $real *x, const $int *incx)
{
    return cblas_${d}nrm2$c(*n, x, *incx);
}
