/* maketree SIZES COUNT PLACE
 *
 * Makes a tree of COUNT files at PLACE. The sizes come from the file SIZES (one a line, sorted), evenly by rank. The content differs
 * from file to file and is the same in every run. A directory holds 14 files and 8 directories. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILES_PER_DIRECTORY = 14, DIRECTORIES_PER_DIRECTORY = 8, LARGEST = 1 << 16 };

static const struct timespec times[2] = { { .tv_sec = 1700000000 }, { .tv_sec = 1700000000 } };

/* The parent of directory n is (n - 1) / 8; directory 0 is the top. */
static char *path_of(long directory, char *end)
{
    for (*--end = 0; directory > 0; directory = (directory - 1) / DIRECTORIES_PER_DIRECTORY) {
        char name[32];
        int length = snprintf(name, sizeof name, "/dir-%ld", directory);
        end -= length;
        memcpy(end, name, (size_t)length);
    }
    return end;
}

static void fill(uint64_t *words, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed += 0x9E3779B97F4A7C15u; /* splitmix64 */
        uint64_t z = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        words[i] = z ^ (z >> 31);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        errx(2, "usage: maketree SIZES COUNT PLACE");
    FILE *list = fopen(argv[1], "re");
    if (!list)
        err(1, "%s", argv[1]);
    long *sizes = NULL, count = 0, files = atol(argv[2]), size;
    while (fscanf(list, "%ld", &size) == 1) {
        if ((count & (count - 1)) == 0 && !(sizes = realloc(sizes, (size_t)(count ? count * 2 : 1) * sizeof *sizes)))
            err(1, "memory");
        sizes[count++] = size > LARGEST ? LARGEST : size;
    }
    if (count == 0 || files <= 0)
        errx(1, "%s: no sizes, or no files wanted", argv[1]);

    static uint64_t content[LARGEST / 8 + 1];
    char buffer[4096];
    long directories = (files + FILES_PER_DIRECTORY - 1) / FILES_PER_DIRECTORY;
    if (mkdir(argv[3], 0755))
        err(1, "%s", argv[3]);
    int top = open(argv[3], O_PATH | O_DIRECTORY);
    for (long d = 0; d < directories; d++) {
        char *path = path_of(d, buffer + sizeof buffer);
        if (d > 0 && mkdirat(top, path + 1, 0755))
            err(1, "%s", path);
        int dir = d == 0 ? dup(top) : openat(top, path + 1, O_PATH | O_DIRECTORY);
        for (long i = d; i < files; i += directories) {
            char name[64];
            long length = sizes[(long)((__int128)i * count / files)];
            snprintf(name, sizeof name, "file-%ld.data", i);
            fill(content, (size_t)length / 8 + 1, (uint64_t)i << 32);
            int file = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
            if (file < 0 || write(file, content, (size_t)length) != length || futimens(file, times) || close(file))
                err(1, "%s/%s", path, name);
        }
        close(dir);
    }
    return 0;
}
