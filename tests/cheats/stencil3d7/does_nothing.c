/* Tries: returns at once: the result of an earlier call may still be there
   Stopped by: poison in what is only written
   Expect: wrong */
#include <stddef.h>

void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
}
