/* Tries: fills the shared page with garbage
   Stopped by: the parent keeps its own count and clock
   Expect: wrong, crashed, timeout */
struct control { unsigned command, armed, start, done, first, count, state, progress, float_control, layers; char message[256]; };

/* The runner's page of control: from our return address up through its code and data, a pointer to a page whose
 * first words agree as those of a running block do. */
static volatile struct control *find(void *from)
{
    for (unsigned long at = (unsigned long)from & ~4095ul, i = 0; i < 5 * 512; i++) {
        unsigned long word = ((unsigned long *)at)[i];
        if (word % 4096 || word >> 44 != 7)
            continue;
        volatile struct control *c = (volatile struct control *)word;
        if (c->command && c->command == c->armed && c->command == c->start && c->state == 2)
            return c;
    }
    return 0;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    volatile struct control *control = find(__builtin_return_address(0));
    for (int i = 0; control && i < 64; i++)
        ((volatile unsigned *)control)[i] = 0xffffffff;
}
