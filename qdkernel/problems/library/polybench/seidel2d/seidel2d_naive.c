/* In place, in the order of the definition, which results depend on. */
void seidel2d(int t, int n, double *restrict A)
{
    int row = n + 2;
    for (int s = 0; s < t; s++)
        for (int i = 1; i <= n; i++)
            for (int j = 1; j <= n; j++) {
                double *p = A + i * row + j;
                *p = (p[-row - 1] + p[-row] + p[-row + 1] + p[-1] + p[0] + p[1] + p[row - 1] + p[row] + p[row + 1]) / 9;
            }
}
