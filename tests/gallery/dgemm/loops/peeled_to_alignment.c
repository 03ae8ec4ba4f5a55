/* expect: none/512/serial/none
   Elements are peeled off a row of C until it is aligned; then whole vectors, then the rest. */
#include <stdint.h>
typedef double vec __attribute__((vector_size(64), may_alias));
typedef double loose __attribute__((vector_size(64), aligned(8), may_alias));

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++) {
        double *c = C + (ptrdiff_t)i * ldc;
        for (int j = 0; j < n; j++)
            c[j] = beta == 0 ? 0 : beta * c[j];
        if (alpha == 0)
            continue;
        int head = (int)((64 - ((uintptr_t)c & 63)) % 64 / sizeof *c);
        head = head < n ? head : n;
        for (int p = 0; p < k; p++) {
            const double x = alpha * A[(ptrdiff_t)i * lda + p], *b = B + (ptrdiff_t)p * ldb;
            int j = 0;
            for (; j < head; j++)
                c[j] += x * b[j];
            for (; j + 8 <= n; j += 8)
                *(vec *)(c + j) += x * *(const loose *)(b + j);
            for (; j < n; j++)
                c[j] += x * b[j];
        }
    }
}
