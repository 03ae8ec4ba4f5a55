/* What the runner needs of a processor beside C: its float modes, a pause, and what a fault was. x86-64 and aarch64. */
#ifndef QD_PROCESSOR_H
#define QD_PROCESSOR_H

#include <stdint.h>
#include <ucontext.h>

/* Stack pointer at a fault, and whether the access was a write or the fetch of an instruction. */
struct qd_access {
    uintptr_t stack;
    int write, code;
};

#if defined(__x86_64__)
#include <xmmintrin.h>

static inline void qd_pause(void)
{
    _mm_pause();
}

/* Rounding and flush modes, without the sticky exception flags. */
static inline uint64_t qd_float_control(void)
{
    unsigned short x87;
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return (uint64_t)(_mm_getcsr() & 0xffc0) << 16 | x87;
}

static inline void qd_restore_float_control(uint64_t control)
{
    _mm_setcsr((unsigned)(control >> 16) & 0xffc0);
}

static inline struct qd_access qd_access_of(const ucontext_t *context)
{
    const greg_t *registers = context->uc_mcontext.gregs;
    const long error = (long)registers[REG_ERR];
    return (struct qd_access){(uintptr_t)registers[REG_RSP], (error & 2) != 0, (error & 16) != 0};
}

/* The instruction that a signal interrupted. */
static inline uint64_t qd_place_of(const ucontext_t *context)
{
    return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
}

#elif defined(__aarch64__)
#include <asm/sigcontext.h>

static inline uint64_t qd_place_of(const ucontext_t *context)
{
    return (uint64_t)context->uc_mcontext.pc;
}

static inline void qd_pause(void)
{
    __asm__ volatile("yield");
}

static inline uint64_t qd_float_control(void)
{
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    return control;
}

static inline void qd_restore_float_control(uint64_t control)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(control));
}

/* The exception syndrome is in a record behind the registers (arch/arm64/include/uapi/asm/sigcontext.h). Its class is in
 * bits 26 to 31: 0x20 and 0x21 are aborts of an instruction fetch; bit 6 of a data abort is set for a write. */
static inline struct qd_access qd_access_of(const ucontext_t *context)
{
    struct qd_access access = {(uintptr_t)context->uc_mcontext.sp, 0, 0};
    const unsigned char *at = context->uc_mcontext.__reserved;
    for (const unsigned char *end = at + sizeof context->uc_mcontext.__reserved; at + sizeof(struct esr_context) <= end;) {
        const struct _aarch64_ctx *record = (const struct _aarch64_ctx *)at;
        if (record->magic == ESR_MAGIC) {
            const uint64_t syndrome = ((const struct esr_context *)record)->esr, class = syndrome >> 26 & 0x3f;
            access.code = class == 0x20 || class == 0x21;
            access.write = !access.code && (syndrome >> 6 & 1);
        }
        if (record->magic == 0 || record->size == 0)
            break;
        at += record->size;
    }
    return access;
}

#else
#error "expected x86-64 or aarch64"
#endif
#endif
