/* Row by row, as in the definition. */
#include <math.h>

void cholesky(int n, double *restrict A)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            for (int k = 0; k < j; k++)
                A[i * n + j] -= A[i * n + k] * A[j * n + k];
            if (j < i)
                A[i * n + j] /= A[j * n + j];
            else
                A[i * n + i] = sqrt(A[i * n + i]);
        }
}
