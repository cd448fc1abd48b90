/* The floor of each work: the least that the filesystem and the processor need. It makes the bare calls, on as many threads, and nothing else.
 *
 *   floor commit TREE PLACE THREADS           reads and hashes every file as below; makes one inode in PLACE for each content and
 *                                             metadata, and gives it a name; prints seconds
 *   floor checkout TREE PLACE THREADS         makes directories, links and nodes of TREE as PLACE/root, with their times and owners;
 *                                             prints seconds
 *   floor advance TREE CHANGED PLACE THREADS  turns PLACE/root into PLACE/next, with the files that differ in CHANGED; prints seconds
 *   floor hash TREE THREADS                   reads every file and takes SHA-256 of each 4 KiB; prints seconds
 *   floor change TREE STEP                    rewrites every STEP-th regular file of TREE, always alike; prints how many
 *   floor count TREE                          prints: directories, other names, regular files, symbolic links, bytes
 *
 * Objects lie in PLACE/floor-objects/xx/, one for each distinct content and metadata, with names as long as a store's. If checkout and
 * advance miss objects, they make empty ones before the clock starts, because linkat(2) never looks at content. */
#include "tree.h"

enum { BLOCK = 4096, CHUNK = 1 << 20 };

static int fan_outs[256];

/* ---- SHA-256 of files, in blocks ---- */

struct hashing {
    int top;
    struct tree *tree;
    atomic_size_t next;
};

/* Many threads share the segments of a large file. */
enum { SEGMENT = 8 << 20 };

struct segment { struct entry *file; off_t offset; };
static struct segment *segments;
static size_t segment_count;

static void cut_into_segments(struct tree *tree)
{
    segments = NULL;
    segment_count = 0;
    for (size_t i = 0; i < tree->regular_count; i++)
        for (off_t offset = 0; offset < tree->regular[i]->st.st_size; offset += SEGMENT) {
            segments = grow(segments, segment_count, sizeof *segments);
            segments[segment_count++] = (struct segment){ tree->regular[i], offset };
        }
}

static void hash_blocks(EVP_MD_CTX *context, const EVP_MD *sha256, const unsigned char *data, ssize_t length, unsigned char *hash)
{
    for (ssize_t block = 0; block < length; block += BLOCK) {
        EVP_DigestInit_ex(context, sha256, NULL);
        EVP_DigestUpdate(context, data + block, length - block < BLOCK ? length - block : BLOCK);
        EVP_DigestFinal_ex(context, hash, NULL);
    }
}

static void *hash_segments(void *argument)
{
    struct hashing *job = argument;
    unsigned char *buffer = malloc(CHUNK), hash[EVP_MAX_MD_SIZE];
    EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    for (size_t i; (i = atomic_fetch_add(&job->next, 1)) < segment_count;) {
        int fd = openat(job->top, segments[i].file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            err(1, "%s", segments[i].file->path);
        off_t end = segments[i].offset + SEGMENT;
        for (off_t at = segments[i].offset; at < end && at < segments[i].file->st.st_size;) {
            ssize_t got = pread(fd, buffer, CHUNK, at);
            if (got <= 0)
                err(1, "%s", segments[i].file->path);
            hash_blocks(context, sha256, buffer, got, hash);
            at += got;
        }
        close(fd);
    }
    EVP_MD_CTX_free(context);
    free(buffer);
    return NULL;
}

static double hash_tree(char *top, int threads)
{
    struct tree tree = read_tree(top);
    struct hashing job = { .top = open(top, O_PATH | O_DIRECTORY), .tree = &tree };
    cut_into_segments(&tree);
    double start = now();
    on_threads(threads, hash_segments, &job);
    return now() - start;
}

/* ---- something like a store ---- */

static void make_fan_outs(const char *place)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/floor-objects", place);
    mkdir(path, 0755);
    for (int i = 0; i < 256; i++) {
        snprintf(path, sizeof path, "%s/floor-objects/%02x", place, i);
        mkdir(path, 0755);
        if ((fan_outs[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
            err(1, "%s", path);
    }
}

static void *name_objects(void *argument)
{
    struct hashing *job = argument;
    char *buffer = malloc(CHUNK);
    unsigned char hash[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    for (size_t i; (i = atomic_fetch_add(&job->next, 1)) < job->tree->regular_count;) {
        struct entry *file = job->tree->regular[i];
        int fd = openat(job->top, file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            err(1, "%s", file->path);
        EVP_DigestInit_ex(context, EVP_sha256(), NULL);
        for (ssize_t got; (got = read(fd, buffer, CHUNK)) > 0;)
            EVP_DigestUpdate(context, buffer, got);
        close(fd);
        EVP_DigestFinal_ex(context, hash, NULL);
        char name[160];
        int length = 0;
        for (int k = 1; k < 32; k++)
            length += sprintf(name + length, "%02x", hash[k]);
        sprintf(name + length, ".%o.%u.%u.%lld", file->st.st_mode & 07777, file->st.st_uid, file->st.st_gid, (long long)file->st.st_mtime);
        file->fan_out = hash[0];
        file->object = strdup(name);
    }
    EVP_MD_CTX_free(context);
    free(buffer);
    return NULL;
}

static void make_objects(char *top, struct tree *tree, const char *place, int threads)
{
    struct hashing job = { .top = open(top, O_PATH | O_DIRECTORY), .tree = tree };
    on_threads(threads, name_objects, &job);
    make_fan_outs(place);
    for (size_t i = 0; i < tree->regular_count; i++) {
        int fd = openat(fan_outs[tree->regular[i]->fan_out], tree->regular[i]->object, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
        if (fd < 0)
            err(1, "%s", tree->regular[i]->object);
        close(fd);
    }
}

static void sync_place(const char *place)
{
    int fd = open(place, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || syncfs(fd))
        err(1, "%s", place);
    close(fd);
}

/* ---- commit ---- */

/* A file without an object of its own equals another file, so it is only read. */
static void *store_files(void *argument)
{
    struct hashing *job = argument;
    unsigned char *buffer = malloc(CHUNK), hash[EVP_MAX_MD_SIZE];
    EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    for (size_t i; (i = atomic_fetch_add(&job->next, 1)) < job->tree->regular_count;) {
        struct entry *file = job->tree->regular[i];
        const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = file->st.st_mtim.tv_sec } };
        int from = openat(job->top, file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        int to = file->object ? openat(fan_outs[0], ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, file->st.st_mode & 07777) : -1;
        if (from < 0 || (file->object && to < 0))
            err(1, "%s", file->path);
        ssize_t got;
        while ((got = read(from, buffer, CHUNK)) > 0) {
            hash_blocks(context, sha256, buffer, got, hash);
            if (file->object && write(to, buffer, got) != got)
                err(1, "%s", file->path);
        }
        if (got < 0)
            err(1, "%s", file->path);
        close(from);
        if (!file->object)
            continue;
        if (futimens(to, times) || linkat(to, "", fan_outs[file->fan_out], file->object, AT_EMPTY_PATH))
            err(1, "%s", file->path);
        close(to);
    }
    EVP_MD_CTX_free(context);
    free(buffer);
    return NULL;
}

static int by_object(const void *a, const void *b)
{
    const struct entry *one = *(struct entry **)a, *other = *(struct entry **)b;
    return one->fan_out != other->fan_out ? one->fan_out - other->fan_out : strcmp(one->object, other->object);
}

static void leave_one_of_equals(struct tree *tree)
{
    struct entry **sorted = malloc((tree->regular_count + 1) * sizeof *sorted);
    memcpy(sorted, tree->regular, tree->regular_count * sizeof *sorted);
    qsort(sorted, tree->regular_count, sizeof *sorted, by_object);
    for (size_t i = tree->regular_count; i-- > 1;)
        if (by_object(&sorted[i], &sorted[i - 1]) == 0)
            sorted[i]->object = NULL;
    free(sorted);
}

static double store_tree(char *top, const char *place, int threads)
{
    struct tree tree = read_tree(top);
    struct hashing job = { .top = open(top, O_PATH | O_DIRECTORY), .tree = &tree };
    on_threads(threads, name_objects, &job);
    atomic_store(&job.next, 0);
    leave_one_of_equals(&tree);
    umask(0);
    make_fan_outs(place);
    sync_place(place);
    double start = now();
    on_threads(threads, store_files, &job);
    return now() - start;
}

/* ---- checkout ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct dir **waiting;
    size_t count, unfinished;
    int place;
    uid_t uid;
    gid_t gid;
} work = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

/* Sets the metadata that making a name does not set. */
static void set_metadata(int dir, struct entry *entry)
{
    const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = entry->st.st_mtim.tv_sec } };
    if ((entry->st.st_uid != work.uid || entry->st.st_gid != work.gid)
        && (fchownat(dir, entry->name, entry->st.st_uid, entry->st.st_gid, AT_SYMLINK_NOFOLLOW)
            || (!S_ISLNK(entry->st.st_mode) && fchmodat(dir, entry->name, entry->st.st_mode & 07777, 0))))
        err(1, "%s", entry->path);
    if (utimensat(dir, entry->name, times, AT_SYMLINK_NOFOLLOW))
        err(1, "%s", entry->path);
}

/* Sets a directory's time after everything in it is made. */
static void release(struct dir *dir)
{
    for (; dir && atomic_fetch_sub(&dir->users, 1) == 1; dir = dir->parent) {
        close(dir->fd);
        if (dir->parent)
            set_metadata(dir->parent->fd, &dir->self);
    }
}

static void link_object(struct entry *file, int dir, const char *name)
{
    if (linkat(fan_outs[file->fan_out], file->object, dir, name, 0) == 0)
        return;
    if (errno != EMLINK)
        err(1, "linkat %s", file->path);
    /* ext4 allows 65000 names for an inode; then a new inode is needed. */
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (fd < 0)
        err(1, "%s", file->path);
    close(fd);
}

static void make_dir(struct dir *dir)
{
    int above = dir->parent ? dir->parent->fd : work.place;
    const char *name = dir->parent ? dir->self.name : "root";
    if (mkdirat(above, name, dir->self.st.st_mode & 07777) || (dir->fd = openat(above, name, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        err(1, "%s", dir->self.path);
    for (size_t i = 0; i < dir->file_count; i++) {
        struct entry *file = &dir->files[i];
        if (S_ISREG(file->st.st_mode))
            link_object(file, dir->fd, file->name);
        else if (S_ISLNK(file->st.st_mode) ? symlinkat(file->target, dir->fd, file->name) : mknodat(dir->fd, file->name, file->st.st_mode, file->st.st_rdev))
            err(1, "%s", file->path);
        else
            set_metadata(dir->fd, file);
    }
}

static void *make_dirs(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&work.lock);
    for (;;) {
        while (work.count == 0 && work.unfinished > 0)
            pthread_cond_wait(&work.more, &work.lock);
        if (work.count == 0)
            break;
        struct dir *dir = work.waiting[--work.count];
        pthread_mutex_unlock(&work.lock);
        make_dir(dir);
        pthread_mutex_lock(&work.lock);
        for (size_t i = 0; i < dir->dir_count; i++)
            work.waiting[work.count++] = dir->dirs[i];
        if (dir->dir_count > 0 || work.unfinished == 1)
            pthread_cond_broadcast(&work.more);
        work.unfinished--;
        pthread_mutex_unlock(&work.lock);
        release(dir);
        pthread_mutex_lock(&work.lock);
    }
    pthread_mutex_unlock(&work.lock);
    return NULL;
}

static double make_root(struct tree *tree, const char *place, int threads)
{
    umask(0);
    work.uid = geteuid();
    work.gid = getegid();
    for (size_t i = 0; i < tree->dir_count; i++)
        tree->dirs[i]->users = (int)tree->dirs[i]->dir_count + 1;
    work.place = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
    work.waiting = malloc((tree->dir_count + 1) * sizeof *work.waiting);
    work.waiting[0] = tree->dirs[0];
    work.count = 1;
    work.unfinished = tree->dir_count;
    double start = now();
    on_threads(threads, make_dirs, NULL);
    return now() - start;
}

/* ---- advance ---- */

static struct {
    struct tree *tree;
    struct entry **changed;
    size_t changed_count;
    int root;
    atomic_size_t next;
} advance;

static void *advance_part(void *unused)
{
    (void)unused;
    for (size_t i; (i = atomic_fetch_add(&advance.next, 1)) < advance.tree->dir_count + advance.changed_count;) {
        struct stat st;
        if (i < advance.tree->dir_count) {
            const char *path = advance.tree->dirs[i]->self.path;
            if (fstatat(advance.root, *path ? path : ".", &st, AT_SYMLINK_NOFOLLOW))
                err(1, "%s", path);
            continue;
        }
        struct entry *file = advance.changed[i - advance.tree->dir_count];
        if (unlinkat(advance.root, file->path, 0))
            err(1, "%s", file->path);
        link_object(file, advance.root, file->path);
    }
    return NULL;
}

/* PLACE/root exists: `floor checkout` of the same tree made it. */
static double advance_root(struct tree *old, struct tree *changed, const char *place, int threads)
{
    for (size_t o = 0, c = 0; o < old->regular_count && c < changed->regular_count; o++, c++) {
        if (strcmp(old->regular[o]->path, changed->regular[c]->path))
            errx(1, "the two trees have different names");
        if (strcmp(old->regular[o]->object, changed->regular[c]->object) || old->regular[o]->fan_out != changed->regular[c]->fan_out) {
            advance.changed = grow(advance.changed, advance.changed_count, sizeof *advance.changed);
            advance.changed[advance.changed_count++] = changed->regular[c];
        }
    }
    advance.tree = old;
    int dir = open(place, O_PATH | O_DIRECTORY);
    double start = now();
    if (renameat(dir, "root", dir, "next") || (advance.root = openat(dir, "next", O_PATH | O_DIRECTORY)) < 0)
        err(1, "%s/root", place);
    on_threads(threads, advance_part, NULL);
    return now() - start;
}

/* ---- the changed tree ---- */

static void rewrite(int top, struct entry *file)
{
    static const char addition[] = "changed by hacktree-bench\n";
    const struct timespec times[2] = { { .tv_sec = 1767225600 }, { .tv_sec = 1767225600 } };
    char *content = malloc(file->st.st_size + sizeof addition), *slash = strrchr(file->path, '/');
    int fd = openat(top, file->path, O_RDONLY | O_NOFOLLOW);
    ssize_t length = fd < 0 ? -1 : read(fd, content, file->st.st_size);
    if (length != file->st.st_size)
        err(1, "%s", file->path);
    close(fd);
    memcpy(content + length, addition, sizeof addition - 1);
    length += sizeof addition - 1;
    if (unlinkat(top, file->path, 0) || (fd = openat(top, file->path, O_WRONLY | O_CREAT | O_EXCL, 0600)) < 0 || write(fd, content, length) != length
        || fchown(fd, file->st.st_uid, file->st.st_gid) || fchmod(fd, file->st.st_mode & 07777) || futimens(fd, times))
        err(1, "%s", file->path);
    close(fd);
    free(content);
    /* A package manager changes the directory's time too. Here it is always the same new time. */
    if (slash)
        *slash = 0;
    if (utimensat(top, slash ? file->path : ".", times, 0))
        err(1, "%s", file->path);
    if (slash)
        *slash = '/';
}

int main(int argc, char **argv)
{
    const char *verb = argc > 2 ? argv[1] : "";
    struct tree tree, changed;
    if (!strcmp(verb, "commit") && argc == 5) {
        printf("%.6f\n", store_tree(argv[2], argv[3], atoi(argv[4])));
    } else if (!strcmp(verb, "checkout") && argc == 5) {
        tree = read_tree(argv[2]);
        make_objects(argv[2], &tree, argv[3], atoi(argv[4]));
        sync_place(argv[3]);
        printf("%.6f\n", make_root(&tree, argv[3], atoi(argv[4])));
    } else if (!strcmp(verb, "advance") && argc == 6) {
        tree = read_tree(argv[2]);
        changed = read_tree(argv[3]);
        make_objects(argv[2], &tree, argv[4], atoi(argv[5]));
        make_objects(argv[3], &changed, argv[4], atoi(argv[5]));
        sync_place(argv[4]);
        printf("%.6f\n", advance_root(&tree, &changed, argv[4], atoi(argv[5])));
    } else if (!strcmp(verb, "hash") && argc == 4) {
        printf("%.6f\n", hash_tree(argv[2], atoi(argv[3])));
    } else if (!strcmp(verb, "change") && argc == 4) {
        tree = read_tree(argv[2]);
        int top = open(argv[2], O_PATH | O_DIRECTORY);
        size_t step = (size_t)atoi(argv[3]), count = 0;
        for (size_t i = step - 1; i < tree.regular_count; i += step, count++)
            rewrite(top, tree.regular[i]);
        printf("%zu\n", count);
    } else if (!strcmp(verb, "count") && argc == 3) {
        tree = read_tree(argv[2]);
        printf("%zu %zu %zu %zu %lld\n", tree.dir_count, tree.file_count, tree.regular_count, tree.symlink_count, tree.bytes);
    } else {
        fprintf(stderr, "usage: floor commit TREE PLACE THREADS | checkout TREE PLACE THREADS | advance TREE CHANGED PLACE THREADS | hash TREE THREADS | change TREE STEP | count TREE\n");
        return 2;
    }
    return 0;
}
