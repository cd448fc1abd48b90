/* measure RESULT STDOUT FILESYSTEM COMMAND [ARGUMENT...]
 *
 * Runs one command and writes one line to RESULT: seconds of the command, seconds of a syncfs of FILESYSTEM right after it,
 * user CPU seconds, system CPU seconds, peak memory in KiB of the largest process, exit status.
 * Earlier writes are synced before the clock starts.
 *
 * This is a small C program because a process inherits the peak memory of its parent, and a .NET parent's would be large. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

static int fail(const char *what)
{
    fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
    return 125;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: measure RESULT STDOUT FILESYSTEM COMMAND [ARGUMENT...]\n");
        return 2;
    }

    int filesystem = open(argv[3], O_RDONLY | O_CLOEXEC);
    int output = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    FILE *result = fopen(argv[1], "we");
    if (filesystem < 0 || output < 0 || !result || syncfs(filesystem))
        return fail(argv[3]);

    double start = now();
    pid_t child = fork();
    if (child == 0) {
        dup2(output, 1);
        execvp(argv[4], argv + 4);
        _exit(fail(argv[4]));
    }

    int status;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) < 0)
        return fail("wait4");
    double ended = now();
    if (syncfs(filesystem))
        return fail("syncfs");
    double synced = now();
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fprintf(result, "%.6f %.6f %.6f %.6f %ld %d\n", ended - start, synced - ended, seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss, code);
    return fclose(result) ? fail(argv[1]) : 0;
}
