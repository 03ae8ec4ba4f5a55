/* One element after the other. */
#include <stddef.h>

void dgemm_batch(int batch, int n, const double *restrict A, const double *restrict B, double *restrict C)
{
    for (int b = 0; b < batch; b++) {
        ptrdiff_t first = (ptrdiff_t)b * n * n;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                double sum = 0;
                for (int k = 0; k < n; k++)
                    sum += A[first + i * n + k] * B[first + k * n + j];
                C[first + i * n + j] = sum;
            }
    }
}
