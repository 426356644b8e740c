// sys:socket and sys:terminal for real: unix sockets with descriptors, credentials, netlink, ports, pseudo terminals.
// portable: runs in the host.

import { AT_FDCWD, O_NOCTTY, O_NONBLOCK, O_RDWR } from "../constants/fs.ts";
import { realKernel } from "../real.ts";
import { assert } from "../test-host/assert.ts";
import { test } from "../test-host/test.ts";
import { openDescriptors, scratchDirectory, sysErrorOf } from "./scratch.ts";

const { fs, host, poll, process, socket, terminal } = realKernel;
const [AF_UNIX, AF_INET, AF_NETLINK] = [1, 2, 16];
const [SOCK_STREAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_NONBLOCK] = [1, 3, 5, 0o4000];
const bytes = host.utf8Encode;

test("unix sockets: connect, accept, talk, end", (t) => {
  const { path } = scratchDirectory(t);
  const before = openDescriptors();
  const listener = socket.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  socket.bindUnix(listener, `${path}/s`);
  socket.listen(listener, 5);
  assert.equal(socket.accept(listener), -1);
  const client = socket.socket(AF_UNIX, SOCK_STREAM, 0);
  socket.connectUnix(client, `${path}/s`);
  const server = socket.accept(listener);
  assert.deepEqual(socket.peerCredentials(server), {
    pid: process.getpid(),
    uid: process.getuid(),
    gid: process.getgid(),
  });
  assert.equal(socket.send(client, bytes("hello"), 0), 5);
  assert.deepEqual(socket.receiveMessage(server, 100), { data: bytes("hello"), fds: [], truncated: false });
  assert.equal(sysErrorOf(() => socket.receiveMessage(server, 100)).errno, "EAGAIN");
  socket.shutdown(client, 1);
  assert.equal(socket.receiveMessage(server, 100).data.length, 0);
  fs.close(client);
  assert.equal(
    sysErrorOf(() => {
      socket.send(server, bytes("x"), 0);
      socket.send(server, bytes("x"), 0);
    }).errno,
    "EPIPE",
  );
  for (const fd of [listener, server]) fs.close(fd);
  assert.deepEqual(openDescriptors(), before);
});

test("unix sockets: how connecting fails", (t) => {
  const { path } = scratchDirectory(t);
  const fd = socket.socket(AF_UNIX, SOCK_STREAM, 0);
  const cases: readonly [string, string][] = [
    [`${path}/none`, "ENOENT"],
    [`${path}/${"x".repeat(120)}`, "ENAMETOOLONG"],
    ["", "EINVAL"],
  ];
  for (const [address, errno] of cases) {
    const error = sysErrorOf(() => socket.connectUnix(fd, address));
    assert.deepEqual([error.errno, error.call, error.subject], [errno, "connect", address]);
  }
  const name = `@teu-test-${process.getpid()}`;
  const listener = socket.socket(AF_UNIX, SOCK_STREAM, 0);
  socket.bindUnix(listener, name);
  assert.equal(sysErrorOf(() => socket.connectUnix(fd, name)).errno, "ECONNREFUSED");
  socket.listen(listener, 1);
  socket.connectUnix(fd, name);
  fs.close(fd);
  fs.close(listener);
});

test("descriptors travel, and are closed when the message was cut", () => {
  const [left, right] = socket.socketpair(SOCK_SEQPACKET);
  const [read, write] = fs.pipe2(0);
  socket.sendMessage(left, bytes("two"), [read, write]);
  const { data, fds, truncated } = socket.receiveMessage(right, 10);
  assert.deepEqual([host.utf8Decode(data), fds.length, truncated], ["two", 2, false]);
  const [read2 = -1, write2 = -1] = fds;
  fs.write(write2, "through");
  assert.equal(host.utf8Decode(fs.read(read, 10)), "through");
  socket.send(left, bytes("long message"), 0);
  assert.deepEqual(socket.receiveMessage(right, 4), { data: bytes("long"), fds: [], truncated: true });
  assert.equal(
    sysErrorOf(() =>
      socket.sendMessage(
        left,
        bytes("x"),
        Array.from({ length: 17 }, () => read),
      ),
    ).errno,
    "EINVAL",
  );
  assert.equal(sysErrorOf(() => socket.sendMessage(left, bytes("x"), [999])).errno, "EBADF");
  assert.throws(() => socket.sendMessage(left, bytes("x"), [1.5]), { name: "TypeError" });
  for (const fd of [left, right, read, write, read2, write2]) fs.close(fd);
});

test("netlink: the kernel answers a request for the loopback interface", () => {
  const fd = socket.socket(AF_NETLINK, SOCK_RAW, 0);
  socket.bindNetlink(fd, 0);
  // nlmsghdr (RTM_GETLINK, NLM_F_REQUEST) + ifinfomsg with index 1.
  const request = new Uint8Array(32);
  const view = new DataView(request.buffer);
  view.setUint32(0, 32, true);
  view.setUint16(4, 18, true);
  view.setUint16(6, 1, true);
  view.setUint32(20, 1, true);
  assert.equal(socket.send(fd, request, 0), 32);
  assert.ok(poll.pollOne(fd, 1, 5000));
  const { data } = socket.receiveMessage(fd, 8192);
  assert.equal(new DataView(data.buffer).getUint16(4, true), 16);
  fs.close(fd);
});

test("ports: a taken one is EADDRINUSE; what is not an address is EINVAL", () => {
  const first = socket.socket(AF_INET, SOCK_STREAM, 0);
  let port = 0;
  for (port = 42_000; port < 42_100; port++) {
    try {
      socket.bindInet(first, "127.0.0.1", port);
      break;
    } catch {
      /* somebody has it: the next one */
    }
  }
  socket.listen(first, 1);
  const second = socket.socket(AF_INET, SOCK_STREAM, 0);
  const error = sysErrorOf(() => socket.bindInet(second, "127.0.0.1", port));
  assert.deepEqual([error.errno, error.subject], ["EADDRINUSE", `127.0.0.1:${port}`]);
  for (const [address, number] of [
    ["localhost", 80],
    ["127.0.0.1", 65536],
    ["1.2.3", 1],
  ] as const) {
    assert.equal(sysErrorOf(() => socket.bindInet(second, address, number)).errno, "EINVAL");
  }
  socket.setOption(second, 1, 2, 1);
  fs.close(first);
  fs.close(second);
});

test("terminal: the other side without a path, size, raw mode and back", () => {
  const ptmx = fs.openat(AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, 0);
  assert.ok(terminal.unlock(ptmx) >= 0);
  const peer = terminal.peer(ptmx, O_RDWR | O_NOCTTY);
  assert.ok(terminal.isTerminal(peer));
  terminal.setSize(ptmx, 40, 132);
  assert.deepEqual(terminal.getSize(peer), { rows: 40, columns: 132 });
  assert.equal(sysErrorOf(() => terminal.setSize(ptmx, 70_000, 1)).errno, "EINVAL");
  const receive = (): string => (poll.pollOne(ptmx, 1, 5000) ? host.utf8Decode(fs.read(ptmx, 100)) : "");
  fs.write(peer, "a\n");
  assert.equal(receive(), "a\r\n");
  terminal.clearOnlcr(peer);
  fs.write(peer, "b\n");
  assert.equal(receive(), "b\n");
  const before = terminal.makeRaw(peer);
  terminal.restore(peer, before);
  assert.deepEqual(terminal.makeRaw(peer), before);
  assert.equal(sysErrorOf(() => terminal.restore(peer, new Uint8Array(3))).errno, "EINVAL");
  const [read, write] = fs.pipe2(0);
  assert.equal(terminal.isTerminal(read), false);
  assert.equal(sysErrorOf(() => terminal.getSize(read)).errno, "ENOTTY");
  for (const fd of [ptmx, peer, read, write]) fs.close(fd);
});
