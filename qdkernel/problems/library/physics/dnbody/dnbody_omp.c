/* Bodies for the threads, the bodies that pull on one in vectors. */
#include <math.h>

#define BODIES 16 /* tune: 1, 4, 16, 64 */

void dnbody(int n, double softening, const double *restrict p, const double *restrict mass, double *restrict a)
{
#pragma omp parallel for schedule(static, BODIES)
    for (int i = 0; i < n; i++) {
        double x = p[3 * i], y = p[3 * i + 1], z = p[3 * i + 2], ax = 0, ay = 0, az = 0;
#pragma omp simd reduction(+ : ax, ay, az)
        for (int j = 0; j < n; j++) {
            double dx = p[3 * j] - x, dy = p[3 * j + 1] - y, dz = p[3 * j + 2] - z;
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
