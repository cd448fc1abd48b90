/*
 * Usage: mount-image IMAGE FILES DIR NAME VERITY [MODULE...]
 *
 * Mounts a tree at DIR, read-only: IMAGE, an EROFS image, has its names and metadata, and FILES, a store's files/, has its content (overlayfs,
 * Documentation/filesystems/overlayfs.rst, "data-only lower layers"). NAME is what the mount table shows. VERITY is "verity" if the kernel must
 * compare all content with the digests in the image, which takes Linux 6.6 and an image with fs-verity, or "-". The MODULEs, files of the
 * running kernel's modules, are loaded first, in their order; one that is missing or cannot be loaded is passed over.
 *
 * Before Linux 6.12 an image is mounted from a loop device, and before 6.5 FILES is an ordinary layer, which the image's root hides. The image stays
 * mounted below. Exit status: 0, or the errno.
 */
#include <asm/fcntl.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include "start.h"

enum { BAD_VALUE = 22, NO_BLOCK_DEVICE = 15, HERE = -100, DETACH = 2, IMAGE_AT = 100, FILES_AT = 101 };

/* Whether an errno says that this kernel needs a block device, or lacks a form of the option. */
static int isUnknown(long error)
{
    return error == NO_BLOCK_DEVICE || error == BAD_VALUE;
}

static long open(const char *path, long flags)
{
    return call(SYS_openat, HERE, (long)path, flags | O_CLOEXEC, 0, 0);
}

static long mount(const char *source, const char *target, const char *type, const char *options)
{
    return -call(SYS_mount, (long)source, (long)target, (long)type, MS_RDONLY, (long)options);
}

static void load(char **modules)
{
    for (; *modules; modules++) {
        long module = open(*modules, O_RDONLY);
        if (module >= 0) {
            call(SYS_finit_module, module, (long)"", 0, 0, 0);
            call(SYS_close, module, 0, 0, 0, 0);
        }
    }
}

static long mountByLoop(long image, const char *target)
{
    static struct loop_config config;
    static char path[32] = "/dev/loop";
    long control = open("/dev/loop-control", O_RDWR);
    if (control < 0)
        return -control;
    long number = call(SYS_ioctl, control, LOOP_CTL_GET_FREE, 0, 0, 0), divisor = 1;
    if (number < 0)
        return -number;
    while (number / divisor >= 10)
        divisor *= 10;
    for (int at = 9; divisor > 0; divisor /= 10)
        path[at++] = '0' + number / divisor % 10;
    long device = open(path, O_RDONLY);
    if (device < 0)
        return -device;
    config.fd = image;
    config.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
    long error = -call(SYS_ioctl, device, LOOP_CONFIGURE, (long)&config, 0, 0);
    return error ? error : mount(path, target, "erofs", 0);
}

static long mountImage(const char *path, const char *target, int isVerity)
{
    static struct { struct fsverity_digest head; char digest[64]; } measured = { .head.digest_size = 64 };
    long image = open(path, O_RDONLY);
    if (image < 0)
        return -image;
    long error = isVerity ? -call(SYS_ioctl, image, FS_IOC_MEASURE_VERITY, (long)&measured, 0, 0) : 0;
    if (error)
        return error;
    error = mount(path, target, "erofs", 0);
    return isUnknown(error) ? mountByLoop(image, target) : error;
}

/* By descriptors of fixed numbers, because in options a path must not have every character. */
static long mountOverlay(const char *name, const char *files, const char *target, int isVerity)
{
    long upper = open(target, O_PATH), lower = open(files, O_PATH);
    if (upper < 0 || lower < 0)
        return upper < 0 ? -upper : -lower;
    call(SYS_dup3, upper, IMAGE_AT, O_CLOEXEC, 0, 0);
    call(SYS_dup3, lower, FILES_AT, O_CLOEXEC, 0, 0);
    if (isVerity)
        return mount(name, target, "overlay", "metacopy=on,redirect_dir=on,verity=require,lowerdir=/proc/self/fd/100::/proc/self/fd/101");
    long error = mount(name, target, "overlay", "metacopy=on,redirect_dir=on,lowerdir=/proc/self/fd/100::/proc/self/fd/101");
    return isUnknown(error) ? mount(name, target, "overlay", "metacopy=on,redirect_dir=on,lowerdir=/proc/self/fd/100:/proc/self/fd/101") : error;
}

__attribute__((noreturn, used)) void run(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1);
    if (argc < 6)
        leave(BAD_VALUE);
    const char *target = argv[3];
    int isVerity = argv[5][0] == 'v';
    load(argv + 6);
    long error = mountImage(argv[1], target, isVerity);
    if (error)
        leave(error);
    error = mountOverlay(argv[4], argv[2], target, isVerity);
    if (error)
        call(SYS_umount2, (long)target, DETACH, 0, 0, 0);
    leave(error);
}
