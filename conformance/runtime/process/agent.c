/* A seccomp agent: agent SOCKET STATE DENIED. Takes container process states and their descriptors, writes the
 * latest state to the file STATE, refuses the system call with the number DENIED (errno 13), and lets all others go on. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int receive(int connection, const char *file) {
  char data[65536], control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {data, sizeof data};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t length = recvmsg(connection, &message, 0);
  struct cmsghdr *item = CMSG_FIRSTHDR(&message);
  if (length <= 0 || item == NULL || item->cmsg_type != SCM_RIGHTS) return -1;
  int listener;
  memcpy(&listener, CMSG_DATA(item), sizeof listener);
  int out = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (write(out, data, length) != length) return -1;
  close(out);
  return listener;
}

static int serve(int listener, int denied) {
  if (listener < 0) return 4;
  for (;;) {
    struct seccomp_notif request;
    memset(&request, 0, sizeof request);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) {
      if (errno == EINTR || errno == ENOENT) continue;
      return 0;
    }
    struct seccomp_notif_resp answer = {.id = request.id};
    if (request.data.nr == denied) answer.error = -EACCES;
    else answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  int server = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 8) != 0) return 3;
  for (;;) {
    int connection = accept(server, NULL, NULL);
    if (fork() == 0) return serve(receive(connection, argv[2]), atoi(argv[3]));
    close(connection);
  }
}
