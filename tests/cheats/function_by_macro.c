/* Tries: defines the function through a macro
   Stopped by: the source policy
   Expect: policy_violation */
#define NAME dgemm_
#define dgemm_ dg\
emm
void other(void) {}
