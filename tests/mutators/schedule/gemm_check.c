/* Runs KERNEL (dgemm or sgemm, element type REAL) over odd sizes, scalars and strides; exits 0 when every result is
   right. Each array ends at a page that must not be touched, A and B are read-only during the call, alpha = 0 gets NaN
   in A and B, beta = 0 gets NaN in C. Integers keep the sums exact, so results are compared with ==. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void KERNEL(int m, int n, int k, REAL alpha, const REAL *A, int lda, const REAL *B, int ldb, REAL beta, REAL *C,
            int ldc);

typedef struct {
    char *map;
    size_t size; /* readable bytes; one forbidden page follows */
    REAL *at;
} guarded;

static guarded make(int rows, int cols, int ld)
{
    const size_t page = sysconf(_SC_PAGESIZE);
    const size_t elements = rows && cols ? (size_t)(rows - 1) * ld + cols : 0;
    guarded g = {.size = (elements * sizeof(REAL) + page - 1) / page * page};
    g.map = mmap(0, g.size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(g.map + g.size, page, PROT_NONE);
    g.at = (REAL *)(g.map + g.size) - elements;
    for (size_t e = 0; e < elements; e++)
        g.at[e] = rand() % 17 - 8;
    return g;
}

static void drop(guarded g)
{
    munmap(g.map, g.size + sysconf(_SC_PAGESIZE));
}

static void poison(guarded g)
{
    for (REAL *p = g.at; (char *)p < g.map + g.size; p++)
        *p = NAN;
}

static int wrong(int m, int n, int k, REAL alpha, REAL beta, int pad)
{
    const int lda = k + pad + !k, ldb = n + 2 * pad + !n, ldc = n + 3 * pad + !n;
    guarded A = make(m, k, lda), B = make(k, n, ldb), C = make(m, n, ldc);
    if (alpha == 0)
        poison(A), poison(B);
    if (beta == 0)
        poison(C);
    const size_t elements = C.size / sizeof(REAL);
    REAL *want = malloc(C.size + 1), *all = (REAL *)C.map, *at = want + (C.at - all);
    for (size_t e = 0; e < elements; e++)
        want[e] = all[e];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            REAL sum = 0, *c = at + (size_t)i * ldc + j;
            for (int p = 0; alpha != 0 && p < k; p++)
                sum += A.at[(size_t)i * lda + p] * B.at[(size_t)p * ldb + j];
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
    mprotect(A.map, A.size, PROT_READ);
    mprotect(B.map, B.size, PROT_READ);
    KERNEL(m, n, k, alpha, A.at, lda, B.at, ldb, beta, C.at, ldc);
    int bad = 0;
    for (size_t e = 0; e < elements; e++)
        bad += !(all[e] == want[e] || (isnan(all[e]) && isnan(want[e])));
    if (bad)
        printf("m=%d n=%d k=%d alpha=%g beta=%g pad=%d: %d wrong elements\n", m, n, k, alpha, beta, pad, bad);
    drop(A), drop(B), drop(C);
    free(want);
    return bad;
}

int main(void)
{
    const int sizes[][3] = {{0, 0, 0},  {0, 5, 3},   {5, 0, 3},   {5, 7, 0},     {1, 1, 1},   {2, 3, 5},
                            {8, 24, 8}, {9, 25, 33}, {17, 16, 1}, {31, 130, 70}, {64, 64, 64}, {101, 83, 97}};
    const REAL scalars[] = {0, 1, -2};
    int bad = 0;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int a = 0; a < 3; a++)
            for (int b = 0; b < 3; b++)
                for (int pad = 0; pad < 6; pad += 5)
                    bad += wrong(sizes[s][0], sizes[s][1], sizes[s][2], scalars[a], scalars[b], pad);
    return bad != 0;
}
