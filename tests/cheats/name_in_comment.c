/* Tries: names the function in a comment and a string only
   Stopped by: the source policy
   Expect: policy_violation */
/* void dgemm(void) {} */
static const char text[] = "void dgemm(void) {}";
