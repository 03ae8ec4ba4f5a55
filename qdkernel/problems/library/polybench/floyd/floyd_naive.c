/* As in the definition. */
void floyd(int n, double *restrict path)
{
    for (int k = 0; k < n; k++)
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                double by = path[i * n + k] + path[k * n + j];
                if (by < path[i * n + j])
                    path[i * n + j] = by;
            }
}
