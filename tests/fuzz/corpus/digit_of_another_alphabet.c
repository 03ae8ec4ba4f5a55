void dgemm(int n)
{
    for (int i = 0; i < n; i += ①)
        for (int j = i; j < n; j++)
            ;
}
