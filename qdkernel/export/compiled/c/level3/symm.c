/* ---- for each integer type ---- */
QD_PUBLIC void cblas_${d}symm$c(int order, int side, int uplo, $int m, $int n, $real alpha, const $real *A, $int lda,
                  const $real *B, $int ldb, $real beta, $real *C, $int ldc)
{
    int rows = order == ROW_MAJOR;
    int wrong = !qd_is_order(order) ? 1 : !qd_is_side(side) ? 2 : !qd_is_uplo(uplo) ? 3 : m < 0 ? 4 : n < 0 ? 5
              : !QD_AT_LEAST(lda, side == LEFT ? m : n) ? 8 : !QD_AT_LEAST(ldb, rows ? n : m) ? 10
              : !QD_AT_LEAST(ldc, rows ? n : m) ? 13 : 0;
    int right = (side == RIGHT) == rows, lower = (uplo == LOWER) == rows;
    if (wrong)
        qd_illegal("cblas_${d}symm", wrong);
    else if (m == 0 || n == 0 || (alpha == 0 && beta == 1))
        return;
    else if (!QD_FITS(m) || !QD_FITS(n) || !QD_FITS(lda) || !QD_FITS(ldb) || !QD_FITS(ldc))
        QD_NEXT(cblas_${d}symm$c)(order, side, uplo, m, n, alpha, A, lda, B, ldb, beta, C, ldc);
    else
        ${d}symm(right, lower, rows ? m : n, rows ? n : m, alpha, A, lda, B, ldb, beta, C, ldc);
}

QD_PUBLIC void ${d}symm$f(const char *side, const char *uplo, const $int *m, const $int *n, const $real *alpha, const $real *A,
                const $int *lda, const $real *B, const $int *ldb, const $real *beta, $real *C, const $int *ldc)
{
    cblas_${d}symm$c(COL_MAJOR, qd_side(side), qd_uplo(uplo), *m, *n, *alpha, A, *lda, B, *ldb, *beta, C, *ldc);
}
