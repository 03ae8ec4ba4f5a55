/* Tries: brings its own main and its own clock, and no kernel
   Stopped by: the source policy: the problem's function must be defined
   Expect: policy_violation */
int main(void)
{
    return 0;
}
