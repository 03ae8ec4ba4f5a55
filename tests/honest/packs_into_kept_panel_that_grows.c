/* An honest kernel that keeps a packed copy of B between calls and packs anew at each call, however large. */
#include <stdlib.h>

static double *panel;
static size_t room;

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    size_t needed = (size_t)n * k;
    if (needed > room) {
        free(panel);
        panel = malloc(needed * sizeof(double));
        room = panel ? needed : 0;
    }
    int read = alpha != 0, packed = read && needed > 0 && panel;
    for (int j = 0; packed && j < n; j++)
        for (int p = 0; p < k; p++)
            panel[(size_t)j * k + p] = B[(size_t)p * ldb + j];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; read && p < k; p++)
                sum += A[(size_t)i * lda + p] * (packed ? panel[(size_t)j * k + p] : B[(size_t)p * ldb + j]);
            double *c = C + (size_t)i * ldc + j;
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
}
