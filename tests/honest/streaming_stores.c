/* Honest. Non-temporal stores of whole cache lines from a buffer, with a fence. */
#include <immintrin.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    double row[8] __attribute__((aligned(64)));
    for (int i = 0; i < m; i++)
        for (int j0 = 0; j0 < n; j0 += 8) {
            int nb = n - j0 < 8 ? n - j0 : 8;
            for (int t = 0; t < nb; t++) {
                int j = j0 + t;
                double sum = 0;
                if (alpha != 0)
                    for (int p = 0; p < k; p++)
                        sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
                row[t] = alpha * sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
            }
            for (int t = 0; t < nb; t++) {
                long long bits;
                __builtin_memcpy(&bits, row + t, 8);
                _mm_stream_si64((long long *)(C + (long)i * ldc + j0 + t), bits);
            }
        }
    _mm_sfence();
}
