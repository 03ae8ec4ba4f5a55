/* One element of C after the other. */
#include <stddef.h>
#include <stdint.h>

void igemm8(int m, int n, int k, const int8_t *restrict A, int lda, const int8_t *restrict B, int ldb,
            int32_t *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            int32_t sum = 0;
            for (int p = 0; p < k; p++)
                sum += A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)p * ldb + j];
            C[(ptrdiff_t)i * ldc + j] = sum;
        }
}
