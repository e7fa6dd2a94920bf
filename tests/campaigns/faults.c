/* Preloaded into a process: faults of its disk and of fork, on and off while it runs.
 *
 * FAULTS_UNDER: the folder whose disk is to be at fault. FAULTS_SWITCHES: a folder; while it holds
 *   full    what writes to files under FAULTS_UNDER, or makes new ones there, fails with ENOSPC
 *   broken  what reads, writes or synchronises files under FAULTS_UNDER fails with EIO
 *   fork    no process can be started: EAGAIN
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int on(const char *name) {
    const char *folder = getenv("FAULTS_SWITCHES");
    char path[PATH_MAX];
    int before = errno, found;
    if (!folder) return 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    found = access(path, F_OK) == 0;
    errno = before;
    return found;
}

static int under(const char *path) {
    const char *folder = getenv("FAULTS_UNDER");
    size_t length = folder ? strlen(folder) : 0;
    return length && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

/* Whether a file lies under the folder: named from a folder that is open, or the working one. */
static int named(int at, const char *path) {
    char link[64], folder[PATH_MAX], whole[2 * PATH_MAX];
    ssize_t length;
    if (path[0] == '/') return under(path);
    if (at == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    length = readlink(link, folder, sizeof folder - 1);
    if (length < 0) return 0;
    folder[length] = 0;
    snprintf(whole, sizeof whole, "%s/%s", folder, path);
    return under(whole);
}

static int opened(int file) {
    char link[64], path[PATH_MAX];
    ssize_t length;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return under(path);
}

/* The fault of a write to a file: an errno, or 0. */
static int writing(int file) {
    int before = errno, fault = on("full") ? ENOSPC : on("broken") ? EIO : 0;
    if (fault && !opened(file)) fault = 0;
    errno = before;
    return fault;
}

static int reading(int file) {
    int before = errno, fault = on("broken") && opened(file) ? EIO : 0;
    errno = before;
    return fault;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAULTY(type, name, parameters, arguments, fault)   \
    type name parameters {                                 \
        int found = fault;                                 \
        if (found) { errno = found; return -1; }           \
        return REAL(name) arguments;                       \
    }

FAULTY(ssize_t, write, (int f, const void *b, size_t n), (f, b, n), writing(f))
FAULTY(ssize_t, pwrite, (int f, const void *b, size_t n, off_t o), (f, b, n, o), writing(f))
FAULTY(ssize_t, pwrite64, (int f, const void *b, size_t n, off64_t o), (f, b, n, o), writing(f))
FAULTY(ssize_t, writev, (int f, const struct iovec *v, int n), (f, v, n), writing(f))
FAULTY(ssize_t, read, (int f, void *b, size_t n), (f, b, n), reading(f))
FAULTY(ssize_t, pread, (int f, void *b, size_t n, off_t o), (f, b, n, o), reading(f))
FAULTY(ssize_t, pread64, (int f, void *b, size_t n, off64_t o), (f, b, n, o), reading(f))
FAULTY(int, fsync, (int f), (f), writing(f))
FAULTY(int, fdatasync, (int f), (f), writing(f))
FAULTY(int, ftruncate, (int f, off_t n), (f, n), writing(f))
FAULTY(int, ftruncate64, (int f, off64_t n), (f, n), writing(f))

/* The fault of opening or making a file by its name: an errno, or 0. */
static int making(int at, const char *path, int flags) {
    int before = errno, fault = 0;
    if ((flags & O_CREAT) && on("full") && named(at, path) && faccessat(at, path, F_OK, 0)) fault = ENOSPC;
    if (!fault && on("broken") && named(at, path)) fault = EIO;
    errno = before;
    return fault;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        MODE(flags) \
        int found = making(AT_FDCWD, path, flags); \
        if (found) { errno = found; return -1; } \
        return REAL(name)(path, flags, mode); \
    }
#define OPENAT(name) \
    int name(int at, const char *path, int flags, ...) { \
        MODE(flags) \
        int found = making(at, path, flags); \
        if (found) { errno = found; return -1; } \
        return REAL(name)(at, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
FAULTY(int, mkdir, (const char *path, mode_t mode), (path, mode), making(AT_FDCWD, path, O_CREAT))

FAULTY(pid_t, fork, (void), (), on("fork") ? EAGAIN : 0)
/* A function that returns twice cannot be wrapped; a fork does what is needed of it here. */
pid_t vfork(void) { return fork(); }
int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                char *const arguments[], char *const environment[]) {
    if (on("fork")) return EAGAIN;
    return REAL(posix_spawn)(pid, path, actions, attributes, arguments, environment);
}
