/* Entry after entry. */
#include <stdint.h>

void lookup(int n, int entries, const int *restrict index, const float *restrict table, int row, float *restrict picked,
            double *restrict total, int64_t *restrict largest)
{
    *total = 0;
    *largest = -1;
    for (int i = 0; i < n; i++) {
        if (index[i] > *largest)
            *largest = index[i];
        for (int block = 0; block < 2; block++)
            for (int line = 0; line < 2; line++)
                for (int at = 0; at < 3; at++) {
                    float value = table[(((int64_t)index[i] * 2 + block) * 2 + line) * row + at];
                    picked[((i * 2 + block) * 2 + line) * 3 + at] = value;
                    *total += value;
                }
    }
}
