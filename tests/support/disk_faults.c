/* Makes the n-th write, flush, truncation or rename under one folder fail. Loaded with LD_PRELOAD, armed by disk_faults_arm().
 *
 *   gcc -shared -fPIC -O1 -o disk_faults.so disk_faults.c -ldl
 *
 * mode 0: the operation returns `err`; with persist, so do all after it.  mode 1: the process ends there, as by kill -9.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char folder[4096];
static int fail_at, fail_err, fail_persist, fail_mode;
static atomic_int operations, hits;

void disk_faults_arm(const char *under, int at, int err, int persist, int mode)
{
    snprintf(folder, sizeof folder, "%s", under);
    fail_at = at;
    fail_err = err;
    fail_persist = persist;
    fail_mode = mode;
    operations = 0;
    hits = 0;
}

int disk_faults_operations(void) { return operations; }
int disk_faults_hits(void) { return hits; }

static int fails(const char *path)
{
    if (!folder[0] || strncmp(path, folder, strlen(folder)) != 0)
        return 0;
    int n = ++operations;
    if (!fail_at || n < fail_at || (n > fail_at && !fail_persist))
        return 0;
    hits++;
    if (fail_mode == 1)
        _exit(137);
    errno = fail_err;
    return 1;
}

static int fd_fails(int fd)
{
    char link[64], path[4096];
    if (!folder[0])
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return 0;
    path[n] = 0;
    return fails(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *b, size_t n) { return fd_fails(fd) ? -1 : REAL(write)(fd, b, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { return fd_fails(fd) ? -1 : REAL(pwrite)(fd, b, n, o); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { return fd_fails(fd) ? -1 : REAL(pwrite64)(fd, b, n, o); }
int fsync(int fd) { return fd_fails(fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fd_fails(fd) ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t n) { return fd_fails(fd) ? -1 : REAL(ftruncate)(fd, n); }
int ftruncate64(int fd, off64_t n) { return fd_fails(fd) ? -1 : REAL(ftruncate64)(fd, n); }
int rename(const char *a, const char *b) { return fails(b) ? -1 : REAL(rename)(a, b); }
