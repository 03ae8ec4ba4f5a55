/* The baseline: a vendor BLAS with 32-bit integers, its routine named by QD_SYMBOL, e.g. cblas_daxpy. */
extern void QD_SYMBOL(int n, double alpha, const double *x, int incx, double *y, int incy);

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    QD_SYMBOL(n, alpha, x, incx, y, incy);
}
