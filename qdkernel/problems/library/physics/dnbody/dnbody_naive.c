/* Every body with every other; a body adds nothing to itself, as its distance is 0. */
#include <math.h>

void dnbody(int n, double softening, const double *restrict p, const double *restrict mass, double *restrict a)
{
    for (int i = 0; i < n; i++) {
        double ax = 0, ay = 0, az = 0;
        for (int j = 0; j < n; j++) {
            double dx = p[3 * j] - p[3 * i], dy = p[3 * j + 1] - p[3 * i + 1], dz = p[3 * j + 2] - p[3 * i + 2];
            double square = dx * dx + dy * dy + dz * dz + softening;
            double scale = mass[j] / (square * sqrt(square));
            ax += scale * dx;
            ay += scale * dy;
            az += scale * dz;
        }
        a[3 * i] = ax;
        a[3 * i + 1] = ay;
        a[3 * i + 2] = az;
    }
}
