/* One row or column of B after the other, in the order in which nothing is overwritten before its last use. */
#include <stddef.h>

void dtrmm(int right, int lower, int trans, int unit, int m, int n, double alpha, const double *restrict A, int lda,
           double *restrict B, int ldb)
{
    /* B A is (A' B')': the same product with the triangle and B transposed. */
    int order = right ? n : m, vectors = right ? m : n, turned = right ? !trans : trans;
    ptrdiff_t down = turned ? 1 : lda, along = turned ? lda : 1, step = right ? 1 : ldb, next = right ? ldb : 1;
    int upper = turned ? lower : !lower;
    for (int v = 0; v < vectors; v++)
        for (int s = 0; s < order; s++) {
            int i = upper ? s : order - 1 - s;
            double *b = B + v * next;
            double sum = unit ? b[i * step] : A[i * down + i * along] * b[i * step];
            for (int p = upper ? i + 1 : 0; p < (upper ? order : i); p++)
                sum += A[i * down + p * along] * b[p * step];
            b[i * step] = alpha * sum;
        }
}
