/* Rows for the threads; a strip of columns stays in registers. */
#include <stddef.h>
#include <stdint.h>

#define STRIP 64 /* tune: 16, 32, 64, 128 */

void igemm8(int m, int n, int k, const int8_t *restrict A, int lda, const int8_t *restrict B, int ldb,
            int32_t *restrict C, int ldc)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < m; i++)
        for (int left = 0; left < n; left += STRIP) {
            int width = n - left < STRIP ? n - left : STRIP;
            int32_t sums[STRIP] = {0};
            for (int p = 0; p < k; p++) {
                int32_t a = A[(ptrdiff_t)i * lda + p];
                const int8_t *row = B + (ptrdiff_t)p * ldb + left;
#pragma omp simd
                for (int j = 0; j < width; j++)
                    sums[j] += a * row[j];
            }
            for (int j = 0; j < width; j++)
                C[(ptrdiff_t)i * ldc + left + j] = sums[j];
        }
}
