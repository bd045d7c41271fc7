/*
 * Journals what a process does to the files below one directory, so that a test can take back, after a
 * kill -9, everything that no completed sync covers: what a power cut would have done.
 *
 * Loaded with LD_PRELOAD. POWER_CUT_DIRECTORY names the directory (an absolute path), POWER_CUT_JOURNAL the
 * journal (outside it). POWER_CUT_FAIL_SYNC=N makes the N-th fdatasync/fsync of a file fail with EIO.
 *
 * A record is a struct of 32 bytes, little-endian, then the path, then the data written (or the new name):
 *   u32 magic, u8 operation, u8[3] zero, i32 fd, u32 length of path, u32 length of data, u32 zero, u64 offset
 * Records are appended under one lock with one writev, so they never interleave. A write is recorded after it
 * completed; a sync once before it starts and once after it succeeded: a write recorded before the start is
 * covered by the sync, any other is not.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC 0x4d4c5243u
#define DESCRIPTORS 65536

enum operation {
  OPERATION_CREATE = 1,
  OPERATION_WRITE = 2,
  OPERATION_TRUNCATE = 3,
  OPERATION_SYNC_START = 4,
  OPERATION_SYNC_END = 5,
  OPERATION_RENAME = 6,
  OPERATION_UNLINK = 7,
  OPERATION_MKDIR = 8,
  OPERATION_RMDIR = 9,
  OPERATION_OPEN = 10,
};

struct header {
  uint32_t magic;
  uint8_t operation;
  uint8_t zero[3];
  int32_t fd;
  uint32_t path_length;
  uint32_t data_length;
  uint32_t pad;
  uint64_t offset;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static const char *directory;
static size_t directory_length;
static char *paths[DESCRIPTORS];
static long fail_sync = -1;
static long sync_count = 0;

__attribute__((constructor)) static void start(void) {
  const char *journal_path = getenv("POWER_CUT_JOURNAL");
  const char *fail = getenv("POWER_CUT_FAIL_SYNC");
  directory = getenv("POWER_CUT_DIRECTORY");
  if (journal_path == NULL || directory == NULL) {
    directory = NULL;
    return;
  }
  directory_length = strlen(directory);
  if (fail != NULL) {
    fail_sync = atol(fail);
  }
  journal = (int)syscall(SYS_openat, AT_FDCWD, journal_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/* The absolute path when it is below the directory (or the directory itself), else NULL. The caller frees. */
static char *watched(const char *path) {
  char full[PATH_MAX];
  if (directory == NULL || journal < 0 || path == NULL) {
    return NULL;
  }
  if (path[0] == '/') {
    snprintf(full, sizeof full, "%s", path);
  } else {
    char cwd[PATH_MAX];
    if (getcwd(cwd, sizeof cwd) == NULL) {
      return NULL;
    }
    if (snprintf(full, sizeof full, "%s/%s", cwd, path) >= (int)sizeof full) {
      return NULL;
    }
  }
  if (strncmp(full, directory, directory_length) != 0) {
    return NULL;
  }
  if (full[directory_length] != '/' && full[directory_length] != '\0') {
    return NULL;
  }
  return strdup(full);
}

static void append(uint8_t operation, int fd, const char *path, const struct iovec *data, int count, size_t length,
                   uint64_t offset) {
  struct header header = {MAGIC, operation, {0}, fd, (uint32_t)strlen(path), (uint32_t)length, 0, offset};
  struct iovec head[2] = {{&header, sizeof header}, {(void *)path, header.path_length}};
  size_t left = length;
  pthread_mutex_lock(&lock);
  if (syscall(SYS_writev, journal, head, 2) < 0) {
    abort();
  }
  for (int index = 0; index < count && left > 0; index++) {
    const char *bytes = data[index].iov_base;
    size_t size = data[index].iov_len < left ? data[index].iov_len : left;
    left -= size;
    while (size > 0) {
      long done = syscall(SYS_write, journal, bytes, size);
      if (done < 0) {
        abort();
      }
      bytes += done;
      size -= (size_t)done;
    }
  }
  pthread_mutex_unlock(&lock);
}

static void append_text(uint8_t operation, int fd, const char *path, const char *text) {
  struct iovec data = {(void *)text, strlen(text)};
  append(operation, fd, path, &data, 1, data.iov_len, 0);
}

static void remember(int fd, char *path) {
  if (fd < 0 || fd >= DESCRIPTORS) {
    free(path);
    return;
  }
  pthread_mutex_lock(&lock);
  free(paths[fd]);
  paths[fd] = path;
  pthread_mutex_unlock(&lock);
}

static char *path_of(int fd) {
  char *path = NULL;
  if (journal < 0 || fd < 0 || fd >= DESCRIPTORS || paths[fd] == NULL) {
    return NULL;
  }
  pthread_mutex_lock(&lock);
  if (paths[fd] != NULL) {
    path = strdup(paths[fd]);
  }
  pthread_mutex_unlock(&lock);
  return path;
}

static int opened(int at, const char *path, int flags, mode_t mode) {
  char *full = watched(path);
  int existed = 1;
  if (full != NULL && (flags & O_CREAT) != 0) {
    existed = syscall(SYS_faccessat, AT_FDCWD, full, F_OK) == 0;
  }
  int fd = (int)syscall(SYS_openat, at, path, flags, mode);
  if (full == NULL) {
    if (fd >= 0 && fd < DESCRIPTORS && paths[fd] != NULL) {
      remember(fd, NULL);
    }
    return fd;
  }
  if (fd < 0) {
    free(full);
    return fd;
  }
  if (!existed) {
    append(OPERATION_CREATE, fd, full, NULL, 0, 0, 0);
  } else if ((flags & O_TRUNC) != 0) {
    append(OPERATION_OPEN, fd, full, NULL, 0, 0, 0);
    append(OPERATION_TRUNCATE, fd, full, NULL, 0, 0, 0);
  } else {
    append(OPERATION_OPEN, fd, full, NULL, 0, 0, 0);
  }
  remember(fd, full);
  return fd;
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return opened(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int close(int fd) {
  if (fd >= 0 && fd < DESCRIPTORS && paths[fd] != NULL) {
    remember(fd, NULL);
  }
  return (int)syscall(SYS_close, fd);
}

static ssize_t wrote(int fd, const struct iovec *data, int count, ssize_t result, off64_t offset) {
  if (result > 0) {
    int saved = errno;
    char *path = path_of(fd);
    long end = offset >= 0 || path == NULL ? 0 : syscall(SYS_lseek, fd, 0, SEEK_CUR);
    if (end < 0) {
      /* Not a file any more: the number went to a socket or a pipe behind our back. */
      remember(fd, NULL);
    } else if (path != NULL) {
      append(OPERATION_WRITE, fd, path, data, count, (size_t)result,
             offset >= 0 ? (uint64_t)offset : (uint64_t)(end - (long)result));
    }
    free(path);
    errno = saved;
  }
  return result;
}

ssize_t write(int fd, const void *bytes, size_t size) {
  struct iovec data = {(void *)bytes, size};
  return wrote(fd, &data, 1, syscall(SYS_write, fd, bytes, size), -1);
}

ssize_t writev(int fd, const struct iovec *data, int count) {
  return wrote(fd, data, count, syscall(SYS_writev, fd, data, count), -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
  struct iovec data = {(void *)bytes, size};
  return wrote(fd, &data, 1, syscall(SYS_pwrite64, fd, bytes, size, offset), offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset) {
  struct iovec data = {(void *)bytes, size};
  return wrote(fd, &data, 1, syscall(SYS_pwrite64, fd, bytes, size, offset), offset);
}

ssize_t pwritev(int fd, const struct iovec *data, int count, off_t offset) {
  return wrote(fd, data, count, syscall(SYS_pwritev, fd, data, count, (long)offset, 0L), offset);
}

ssize_t pwritev64(int fd, const struct iovec *data, int count, off64_t offset) {
  return wrote(fd, data, count, syscall(SYS_pwritev, fd, data, count, (long)offset, 0L), offset);
}

static int truncated(int fd, off64_t size) {
  int result = (int)syscall(SYS_ftruncate, fd, size);
  char *path = result == 0 ? path_of(fd) : NULL;
  if (path != NULL) {
    append(OPERATION_TRUNCATE, fd, path, NULL, 0, 0, (uint64_t)size);
    free(path);
  }
  return result;
}

int ftruncate(int fd, off_t size) { return truncated(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncated(fd, size); }

static int synced(int fd, long call) {
  char *path = path_of(fd);
  if (path == NULL) {
    return (int)syscall(call, fd);
  }
  append(OPERATION_SYNC_START, fd, path, NULL, 0, 0, 0);
  struct stat status;
  int is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  if (is_file && fail_sync >= 0 && __atomic_add_fetch(&sync_count, 1, __ATOMIC_SEQ_CST) == fail_sync) {
    free(path);
    errno = EIO;
    return -1;
  }
  int result = (int)syscall(call, fd);
  if (result == 0) {
    append(OPERATION_SYNC_END, fd, path, NULL, 0, 0, 0);
  }
  free(path);
  return result;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int rename(const char *from, const char *to) {
  char *full_from = watched(from);
  char *full_to = watched(to);
  int result = (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
  if (result == 0 && full_from != NULL && full_to != NULL) {
    append_text(OPERATION_RENAME, -1, full_from, full_to);
  }
  free(full_from);
  free(full_to);
  return result;
}

static int removed(const char *path, int flags, uint8_t operation) {
  char *full = watched(path);
  int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, flags);
  if (result == 0 && full != NULL) {
    append(operation, -1, full, NULL, 0, 0, 0);
  }
  free(full);
  return result;
}

int unlink(const char *path) { return removed(path, 0, OPERATION_UNLINK); }
int rmdir(const char *path) { return removed(path, AT_REMOVEDIR, OPERATION_RMDIR); }

int mkdir(const char *path, mode_t mode) {
  char *full = watched(path);
  int result = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
  if (result == 0 && full != NULL) {
    append(OPERATION_MKDIR, -1, full, NULL, 0, 0, 0);
  }
  free(full);
  return result;
}
