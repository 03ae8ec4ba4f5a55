/* One step after the other. */
static void step(int n, double *restrict u, double *restrict v)
{
    int row = n + 2, plane = row * row;
    for (int i = 1; i <= n; i++)
        for (int j = 1; j <= n; j++)
            for (int k = 1; k <= n; k++) {
                int at = i * plane + j * row + k;
                v[at] = 0.125 * (u[at + plane] - 2 * u[at] + u[at - plane]) +
                        0.125 * (u[at + row] - 2 * u[at] + u[at - row]) + 0.125 * (u[at + 1] - 2 * u[at] + u[at - 1]) +
                        u[at];
            }
}

void heat3d(int t, int n, double *restrict A, double *restrict B)
{
    for (int s = 0; s < t; s++) {
        step(n, A, B);
        step(n, B, A);
    }
}
