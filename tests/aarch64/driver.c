/* Calls the dgemm of a shared object once and compares every element with the textbook's sum; integers, so exactly.
 * driver OBJECT M N K BYTES: writes as many bytes of the object's qd.trace to standard output. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef void dgemm(int, int, int, double, const double *, int, const double *, int, double, double *, int);

static double *integers(long number)
{
    double *made = aligned_alloc(64, (number * sizeof(double) + 63) / 64 * 64);
    for (long i = 0; i < number; i++)
        made[i] = rand() % 9 - 4;
    return made;
}

int main(int argc, char **argv)
{
    void *object = argc == 6 ? dlopen(argv[1], RTLD_NOW) : NULL;
    dgemm *kernel = object ? (dgemm *)dlsym(object, "dgemm") : NULL;
    if (!kernel)
        return fprintf(stderr, "%s\n", dlerror()), 2;
    const int m = atoi(argv[2]), n = atoi(argv[3]), k = atoi(argv[4]);
    double *a = integers((long)m * k), *b = integers((long)k * n), *c = integers((long)m * n), *sum = integers((long)m * n);
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++)
            sum[i * n + j] = 3 * c[i * n + j];
        for (int p = 0; p < k; p++)
            for (int j = 0; j < n; j++)
                sum[i * n + j] += 2 * a[i * k + p] * b[p * n + j];
    }
    kernel(m, n, k, 2, a, k, b, n, 3, c, n);
    for (long i = 0; i < (long)m * n; i++)
        if (c[i] != sum[i])
            return fprintf(stderr, "C[%ld] = %g, expected %g\n", i, c[i], sum[i]), 1;
    const size_t bytes = strtoul(argv[5], NULL, 10);
    return bytes && fwrite(dlsym(object, "qd.trace"), 1, bytes, stdout) != bytes;
}
