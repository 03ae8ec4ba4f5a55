/* Column by column, as in the definition. */
#include <math.h>

void gramschmidt(int n, double *restrict A, double *restrict R, double *restrict Q)
{
    for (int k = 0; k < n; k++) {
        double square = 0;
        for (int i = 0; i < n; i++)
            square += A[i * n + k] * A[i * n + k];
        R[k * n + k] = sqrt(square);
        for (int i = 0; i < n; i++)
            Q[i * n + k] = A[i * n + k] / R[k * n + k];
        for (int j = k + 1; j < n; j++) {
            double along = 0;
            for (int i = 0; i < n; i++)
                along += Q[i * n + k] * A[i * n + j];
            R[k * n + j] = along;
            for (int i = 0; i < n; i++)
                A[i * n + j] -= Q[i * n + k] * along;
        }
    }
}
