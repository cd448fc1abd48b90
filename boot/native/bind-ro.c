/*
 * Usage: bind-ro DIR
 *
 * Makes the bind mount at DIR read-only and leaves its filesystem writable: mount(2), MS_REMOUNT|MS_BIND|MS_RDONLY.
 * For an initramfs, because klibc's mount cannot do it (its "remount,bind,ro" fails, its "bind,remount,ro" makes the whole
 * filesystem read-only). Exit status: 0, or the errno.
 */
#include <linux/mount.h>
#include "start.h"

__attribute__((noreturn, used)) void run(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1);
    leave(argc != 2 ? 22 /* EINVAL */ : -call(SYS_mount, 0, (long)argv[1], 0, MS_REMOUNT | MS_BIND | MS_RDONLY, 0));
}
