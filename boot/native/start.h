/*
 * What programs for an initramfs need in place of a libc: system calls, and a start that calls run() with the stack as the kernel made it. Built
 * with -nostdlib -static, they run in any initramfs.
 */
#include <sys/syscall.h>

#if defined __x86_64__

static long call(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return result;
}

/* The kernel puts argc at the top of the stack, and argv above it (x86-64 psABI, 3.4.1). */
__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall run\n");

#elif defined __aarch64__

static long call(long number, long a, long b, long c, long d, long e)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}

__asm__(".globl _start\n_start:\n\tmov x0, sp\n\tbl run\n");

#else
#error "the system calls of x86-64 and arm64 are known"
#endif

__attribute__((noreturn)) static void leave(long error)
{
    for (;;)
        call(SYS_exit, error, 0, 0, 0, 0);
}
