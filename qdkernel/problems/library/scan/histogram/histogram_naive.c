/* One value after the other. */
void histogram(int n, int bins, const int *restrict value, int *restrict count)
{
    for (int b = 0; b < bins; b++)
        count[b] = 0;
    for (int i = 0; i < n; i++)
        count[value[i]]++;
}
