/* Tries: defines the function through a macro
   Stopped by: the source policy
   Expect: refused */
#define NAME dgemm_
#define dgemm_ dg\
emm
void other(void) {}
