/* A tree's names, read into memory before any clock starts. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

struct entry {
    char *name;
    char *path;      /* from the top of the tree */
    char *target;    /* of a symbolic link */
    char *object;    /* of a regular file: its name in a store's fan-out, after fan_out */
    int fan_out;
    struct stat st;
};

struct dir {
    struct dir *parent;
    struct entry self;
    struct entry *files;
    struct dir **dirs;
    size_t file_count, dir_count;
    int fd;
    atomic_int users; /* of fd: itself, and each directory in it that is not done */
};

struct tree {
    struct dir **dirs; /* parents before children */
    size_t dir_count, file_count, regular_count, symlink_count;
    long long bytes;
    struct entry **regular; /* sorted by path */
};

static void *grow(void *array, size_t count, size_t size)
{
    /* When count is a power of two, or none. */
    if ((count & (count - 1)) == 0) {
        array = realloc(array, (count ? count * 2 : 1) * size);
        if (!array)
            err(1, "memory");
    }
    return array;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static char *read_target(const char *path, size_t size)
{
    char *target = calloc(1, size + 4096);
    if (readlink(path, target, size + 4095) < 0)
        err(1, "%s", path);
    return target;
}

static int by_name(const FTSENT **a, const FTSENT **b) { return strcmp((*a)->fts_name, (*b)->fts_name); }

static int by_path(const void *a, const void *b) { return strcmp((*(struct entry **)a)->path, (*(struct entry **)b)->path); }

static struct tree read_tree(char *top)
{
    struct tree tree = { 0 };
    char *tops[] = { top, NULL };
    FTS *fts = fts_open(tops, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, by_name);
    size_t cut = strlen(top);
    for (FTSENT *e; (e = fts_read(fts));) {
        struct dir *parent = e->fts_level > 0 ? e->fts_parent->fts_pointer : NULL;
        const char *rest = e->fts_path + cut;
        struct entry entry = { .name = strdup(e->fts_name), .path = strdup(rest[0] == '/' ? rest + 1 : rest), .st = *e->fts_statp };
        if (e->fts_info == FTS_DP)
            continue;
        if (e->fts_info == FTS_D) {
            struct dir *dir = calloc(1, sizeof *dir);
            dir->parent = parent;
            dir->self = entry;
            dir->fd = -1;
            e->fts_pointer = dir;
            tree.dirs = grow(tree.dirs, tree.dir_count, sizeof *tree.dirs);
            tree.dirs[tree.dir_count++] = dir;
            if (parent) {
                parent->dirs = grow(parent->dirs, parent->dir_count, sizeof *parent->dirs);
                parent->dirs[parent->dir_count++] = dir;
            }
        } else if (e->fts_info == FTS_F || e->fts_info == FTS_SL || e->fts_info == FTS_SLNONE || e->fts_info == FTS_DEFAULT) {
            if (S_ISSOCK(entry.st.st_mode) || !parent)
                continue;
            if (S_ISLNK(entry.st.st_mode)) {
                entry.target = read_target(e->fts_accpath, entry.st.st_size);
                tree.symlink_count++;
            }
            parent->files = grow(parent->files, parent->file_count, sizeof *parent->files);
            parent->files[parent->file_count++] = entry;
            tree.file_count++;
        } else {
            errx(1, "%s: %s", e->fts_path, strerror(e->fts_errno));
        }
    }
    fts_close(fts);
    for (size_t d = 0; d < tree.dir_count; d++) {
        for (size_t f = 0; f < tree.dirs[d]->file_count; f++) {
            struct entry *file = &tree.dirs[d]->files[f];
            if (!S_ISREG(file->st.st_mode))
                continue;
            tree.regular = grow(tree.regular, tree.regular_count, sizeof *tree.regular);
            tree.regular[tree.regular_count++] = file;
            tree.bytes += file->st.st_size;
        }
    }
    qsort(tree.regular, tree.regular_count, sizeof *tree.regular, by_path);
    return tree;
}

static void on_threads(int count, void *(*work)(void *), void *argument)
{
    pthread_t threads[count];
    for (int i = 0; i < count; i++)
        if ((errno = pthread_create(&threads[i], NULL, work, argument)))
            err(1, "pthread_create");
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}
