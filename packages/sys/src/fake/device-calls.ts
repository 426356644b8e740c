// sys:socket, sys:terminal, sys:poll, sys:seccomp, sys:bpf and sys:host of the fake kernel: as much as runtime and shim use.
// portable: no host types here.

import { AT_FDCWD, DEVPTS_SUPER_MAGIC, O_RDWR, S_IFCHR, S_IFSOCK } from "../constants/fs.ts";
import { SECCOMP_FILTER_FLAG_NEW_LISTENER } from "../constants/seccomp.ts";
import { AF_NETLINK } from "../constants/socket.ts";
import type { Kernel } from "../kernel.ts";
import { sysError } from "../sys-error.ts";
import { Inode, decode, device, encode } from "./inode.ts";
import { walk } from "./lookup.ts";
import { answerRoute } from "./route.ts";
import { type Message, type OpenFile, type World, openFile } from "./world.ts";

/** sys:socket. `listeners`: unix paths that accept; what is sent to them is kept in `sent`. */
export function socketCalls(
  world: World,
  listeners: ReadonlySet<string>,
  sent: Map<string, Message[]>,
): Kernel["socket"] {
  const push = (fd: number, data: Uint8Array, files: readonly OpenFile[]): number => {
    const { outgoing, incoming, options } = world.file(fd, "sendmsg");
    if (options.get("family") === String(AF_NETLINK)) {
      for (const answer of answerRoute(world, data)) incoming.push({ data: answer, files: [] });
    } else if (outgoing === null) throw sysError("ENOTCONN", "sendmsg", String(fd));
    else outgoing.push({ data, files });
    return data.length;
  };
  return {
    socket: (family) => world.install(openFile("socket", { options: new Map([["family", String(family)]]) })),
    socketpair: () => {
      const one: Message[] = [];
      const other: Message[] = [];
      return [
        world.install(openFile("socket", { incoming: one, outgoing: other })),
        world.install(openFile("socket", { incoming: other, outgoing: one })),
      ];
    },
    bindUnix: (fd, path) => {
      world.file(fd, "bind");
      if (path.startsWith("@")) return;
      const { location, parent, name } = walk(world, AT_FDCWD, path, true, 0, "bind");
      if (location !== null) throw sysError("EADDRINUSE", "bind", path);
      parent.inode.add(name, new Inode(S_IFSOCK | 0o755, parent.inode.magic));
    },
    connectUnix: (fd, path) => {
      if (!listeners.has(path)) throw sysError("ECONNREFUSED", "connect", path);
      const queue = sent.get(path) ?? [];
      sent.set(path, queue);
      const connected = { ...world.file(fd, "connect"), outgoing: queue };
      world.self.fds.set(fd, { file: connected, cloexec: true });
    },
    bindNetlink: (fd) => void world.file(fd, "bind"),
    bindInet: (fd) => void world.file(fd, "bind"),
    listen: (fd) => void world.file(fd, "listen"),
    accept: () => -1,
    send: (fd, data) => push(fd, data, []),
    sendMessage: (fd, data, fds) =>
      push(
        fd,
        data,
        fds.map((one) => world.file(one, "sendmsg")),
      ),
    receiveMessage: (fd) => {
      const message = world.file(fd, "recvmsg").incoming.shift();
      if (message === undefined) throw sysError("EAGAIN", "recvmsg", String(fd));
      return { data: message.data, fds: message.files.map((one) => world.install(one)), truncated: false };
    },
    shutdown: (fd) => void world.file(fd, "shutdown"),
    peerCredentials: () => ({ pid: world.current, uid: 0, gid: 0 }),
    setOption: (fd) => void world.file(fd, "setsockopt"),
  };
}

/** sys:terminal: pty 0 of whichever devpts. */
export function terminalCalls(world: World): Kernel["terminal"] {
  return {
    unlock: (ptmx) => {
      if (world.located(ptmx, "ioctl").inode.magic !== DEVPTS_SUPER_MAGIC)
        throw sysError("ENOTTY", "ioctl", String(ptmx));
      return 0;
    },
    peer: (ptmx) => {
      const { mount } = world.located(ptmx, "ioctl");
      return world.install(
        openFile("file", { flags: O_RDWR, location: { mount, inode: device(DEVPTS_SUPER_MAGIC, S_IFCHR, 136, 0) } }),
      );
    },
    setSize: (fd) => void world.file(fd, "ioctl"),
    getSize: () => ({ rows: 24, columns: 80 }),
    setControlling: (fd) => void world.file(fd, "ioctl"),
    isTerminal: () => false,
    makeRaw: () => new Uint8Array(0),
    restore: () => {},
    clearOnlcr: () => {},
  };
}

/** sys:poll: pidfds of ended processes and fds with something to read are ready; a wait that could never end throws EDEADLK. */
export function pollCalls(world: World): Kernel["poll"] {
  const isReady = (file: OpenFile): boolean => {
    if (file.kind === "pidfd") return world.processes.get(file.pid)?.state !== "running";
    if (file.kind === "socket" || file.kind === "pipe") return file.incoming.length > 0;
    if (file.kind === "signalfd")
      return [...world.processes.values()].some((one) => one.ppid === world.current && one.state === "zombie");
    return true;
  };
  const watched = new Map<OpenFile, Map<number, { fd: number; events: number }>>();
  return {
    create: () => world.install(openFile("epoll")),
    add: (epoll, fd, events, token) => {
      const file = world.file(epoll, "epoll_ctl");
      watched.set(
        file,
        (watched.get(file) ?? new Map<number, { fd: number; events: number }>()).set(token, { fd, events }),
      );
    },
    modify: (epoll, fd, events, token) => void watched.get(world.file(epoll, "epoll_ctl"))?.set(token, { fd, events }),
    remove: (epoll, fd) => {
      const tokens = watched.get(world.file(epoll, "epoll_ctl"));
      for (const [token, entry] of tokens ?? []) if (entry.fd === fd) tokens?.delete(token);
    },
    wait: (epoll, milliseconds) => {
      const tokens = watched.get(world.file(epoll, "epoll_wait")) ?? new Map<number, { fd: number; events: number }>();
      const ready = [...tokens]
        .filter(([, { fd }]) => isReady(world.file(fd, "epoll_wait")))
        .map(([token, { events }]) => ({ token, events }));
      if (ready.length === 0 && milliseconds < 0) throw sysError("EDEADLK", "epoll_wait", "");
      return ready;
    },
    signalfd: () => world.install(openFile("signalfd")),
    readSignal: () => null,
    timerfd: () => world.install(openFile("timerfd")),
    setTimer: (fd) => void world.file(fd, "timerfd_settime"),
    readTimer: () => 0,
    eventfd: () => world.install(openFile("pipe")),
    inotify: () => world.install(openFile("other")),
    inotifyAdd: () => 1,
    pollOne: (fd, _events, milliseconds) => {
      const ready = isReady(world.file(fd, "poll"));
      if (!ready && milliseconds < 0) throw sysError("EDEADLK", "poll", String(fd));
      return ready;
    },
  };
}

const NUMBERS: Readonly<Record<string, number>> = { read: 0, write: 1, getcwd: 79, mount: 165, openat2: 437 };

/** sys:seccomp: the "program" is the filter as JSON. */
export function seccompCalls(world: World): Kernel["seccomp"] {
  return {
    compile: (filter) => {
      const text = JSON.stringify(filter, (_, value: unknown) =>
        typeof value === "bigint" ? value.toString() : value,
      );
      return { program: encode(text.padEnd(Math.ceil(text.length / 8) * 8)), unknown: [] };
    },
    load: (_program, flags) => {
      if (!world.self.noNewPrivileges && !world.self.effective.has(21)) throw sysError("EACCES", "seccomp", "");
      world.self.seccomp++;
      return (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) === 0 ? -1 : world.install(openFile("other"));
    },
    actionAvailable: () => true,
    libraryVersion: () => "2.5.4",
    syscallNumber: (name) => NUMBERS[name] ?? null,
  };
}

/** sys:bpf. */
export function bpfCalls(world: World): Kernel["bpf"] {
  return {
    loadCgroupDevice: () => world.install(openFile("other")),
    attachCgroupDevice: (cgroup) => void world.located(cgroup, "bpf"),
    queryCgroupDevice: () => [],
    programById: () => world.install(openFile("other")),
  };
}

/** sys:host. `print` and `printError` append to the given lists. Time stands still but for `sleepMs`. */
export function hostCalls(world: World, out: string[], err: string[]): Kernel["host"] {
  return {
    monotonicNs: () => world.clock,
    realtimeNs: () => world.clock,
    sleepMs: (milliseconds) => void (world.clock += BigInt(Math.trunc(milliseconds * 1e6))),
    randomBytes: (count) => new Uint8Array(count).fill(7),
    sha256Hex: (data) => hash(typeof data === "string" ? encode(data) : data),
    utf8Encode: encode,
    utf8Decode: decode,
    print: (text) => void out.push(text),
    printError: (text) => void err.push(text),
    version: () => ({ host: "fake", quickjs: "fake" }),
    memory: () => ({ peakKiB: 0, currentKiB: 0 }),
    // It never knows: the slow look finds whatever there is.
    isStrictJson: () => false,
    jsonLines: (data, before, after) =>
      encode(
        decode(data)
          .split(/(?<=\n)/)
          .filter((line) => line !== "")
          .map((line) => `${before}${JSON.stringify(line).slice(1, -1)}${after}`)
          .join(""),
      ),
  };
}

/** Not SHA-256, only as long and as good as a name for a cache file: the fake promises no cryptography. */
function hash(data: Uint8Array): string {
  let a = 0x811c9dc5;
  for (const byte of data) a = Math.imul(a ^ byte, 0x01000193) >>> 0;
  return a.toString(16).padStart(8, "0").repeat(8);
}
