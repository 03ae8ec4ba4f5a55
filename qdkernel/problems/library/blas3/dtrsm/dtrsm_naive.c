/* Substitution for one row or column of B after the other. */
#include <stddef.h>

void dtrsm(int right, int lower, int trans, int unit, int m, int n, double alpha, const double *restrict A, int lda,
           double *restrict B, int ldb)
{
    /* X A = B is A' X' = B': the same equations with the triangle and B transposed. */
    int order = right ? n : m, vectors = right ? m : n, turned = right ? !trans : trans;
    ptrdiff_t down = turned ? 1 : lda, along = turned ? lda : 1, step = right ? 1 : ldb, next = right ? ldb : 1;
    int upper = turned ? lower : !lower;
    for (int v = 0; v < vectors; v++)
        for (int s = 0; s < order; s++) {
            int i = upper ? order - 1 - s : s;
            double *b = B + v * next;
            double rest = alpha * b[i * step];
            for (int p = upper ? i + 1 : 0; p < (upper ? order : i); p++)
                rest -= A[i * down + p * along] * b[p * step];
            b[i * step] = unit ? rest : rest / A[i * down + i * along];
        }
}
