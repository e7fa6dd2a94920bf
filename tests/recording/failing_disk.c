/* Preloaded into a process, it makes writes and synchronisation of files fail with the error FAULT_ERRNO while the file FAULT_WHILE exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(void)
{
    const char *number = getenv("FAULT_ERRNO"), *path = getenv("FAULT_WHILE");
    if (!number || !path || access(path, F_OK) != 0)
        return 0;
    errno = atoi(number);
    return 1;
}

#define WRITES(NAME, OFFSET)                                                    \
    ssize_t NAME(int file, const void *bytes, size_t count, OFFSET at)          \
    {                                                                           \
        ssize_t (*next)(int, const void *, size_t, OFFSET) = dlsym(RTLD_NEXT, #NAME); \
        return fails() ? -1 : next(file, bytes, count, at);                     \
    }

#define SYNCHRONISES(NAME)                        \
    int NAME(int file)                            \
    {                                             \
        int (*next)(int) = dlsym(RTLD_NEXT, #NAME); \
        return fails() ? -1 : next(file);         \
    }

WRITES(pwrite, off_t)
WRITES(pwrite64, off64_t)
SYNCHRONISES(fsync)
SYNCHRONISES(fdatasync)
