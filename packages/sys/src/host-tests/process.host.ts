// sys:process for real: copies, other programs, signals, limits, credentials, and how calls fail.
// portable: runs in the host.

import { AT_FDCWD, O_DIRECTORY, O_PATH, O_RDONLY } from "../constants/fs.ts";
import { realKernel } from "../real.ts";
import { assert } from "../test-host/assert.ts";
import { test } from "../test-host/test.ts";
import { inChild, openDescriptors, scratchDirectory, sysErrorOf } from "./scratch.ts";

const { fs, host, poll, process } = realKernel;
const WNOHANG = 1;
const [SIGUSR1, SIGPIPE, SIGTERM, SIGCHLD] = [10, 13, 15, 17];

/** Runs a program to its end; its output and how it ended. */
function output(
  argv: readonly string[],
  options: { env?: string[]; cwd?: string; fds?: (write: number) => number[] } = {},
): { text: string; code: number } {
  const [read, write] = fs.pipe2(0);
  const started = process.spawn({
    path: argv[0] ?? "",
    argv,
    env: options.env ?? [],
    fds: options.fds?.(write) ?? [-1, write, 2],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  fs.close(write);
  let text = "";
  for (let part = fs.read(read, 65536); part.length > 0; part = fs.read(read, 65536)) text += host.utf8Decode(part);
  fs.close(read);
  fs.close(started.pidfd);
  return { text, code: process.waitpid(started.pid, 0)?.code ?? -1 };
}

test("clone3: the child goes on from the call with all state, and garbage can be collected", () => {
  const state = new Map([["key", ["value"]]]);
  const status = inChild(() => {
    state.set("key", ["changed"]);
    // Enough for several collections, rings included.
    for (let i = 0; i < 200_000; i++) {
      const ring: { self?: unknown; text: string } = { text: `${i}` };
      ring.self = ring;
    }
    assert.deepEqual(state.get("key"), ["changed"]);
    assert.notEqual(process.getpid(), process.getppid());
  });
  assert.deepEqual(status, { kind: "exited", code: 0 });
  assert.deepEqual(state.get("key"), ["value"]);
});

test("clone3: pidfd is readable when the child has ended; refuses shared memory", () => {
  const { pid, pidfd } = process.clone3({ flags: 0, exitSignal: SIGCHLD });
  if (pid === 0) process.exit(7);
  assert.ok(poll.pollOne(pidfd, 1, 10_000));
  assert.deepEqual(process.waitpid(pid, WNOHANG), { pid, kind: "exited", code: 7 });
  fs.close(pidfd);
  const error = sysErrorOf(() => process.clone3({ flags: 0x100 }));
  assert.deepEqual([error.errno, error.call, error.subject], ["EINVAL", "clone3", "0x100"]);
  assert.throws(() => process.clone3({} as never), { name: "TypeError", message: /clone3: argument 1, field "flags"/ });
});

test("clone3: copies of copies", () => {
  assert.deepEqual(
    inChild(() => {
      const inner = inChild(() => {
        process.exit(5);
      });
      process.exit(inner.code + 1);
    }),
    { kind: "exited", code: 6 },
  );
});

test("spawn: arguments, environment, directory, and nothing else", (t) => {
  const { path } = scratchDirectory(t);
  assert.deepEqual(output(["/bin/echo", "a b", "", "ü\udcff"]), { text: "a b  ü\u{fffd}\n", code: 0 });
  assert.equal(output(["/usr/bin/env"], { env: ["A=1", "B=two words"] }).text, "A=1\nB=two words\n");
  assert.equal(output(["/bin/pwd"], { cwd: path }).text, `${path}\n`);
  assert.equal(output(["/bin/sh", "-c", "exit 3"]).code, 3);
});

test("spawn: descriptors land where they are listed, whatever the permutation, and all others are closed", () => {
  const pipes = [fs.pipe2(0), fs.pipe2(0), fs.pipe2(0)];
  const [first = -1, second = -1, third = -1] = pipes.map(([, write]) => write);
  // Each target is the source of another: a ring. One digit each: sh takes no more.
  const script = `echo three >&${first}; echo one >&${second}; echo two >&${third}`;
  const fds = Array.from({ length: third + 1 }, () => -1);
  [fds[2], fds[first], fds[second], fds[third]] = [2, third, first, second];
  const started = process.spawn({ path: "/bin/sh", argv: ["sh", "-c", script], env: [], fds });
  assert.equal(process.waitpid(started.pid, 0)?.code, 0);
  const text = (index: number): string => host.utf8Decode(fs.read(pipes[index]?.[0] ?? -1, 100));
  assert.deepEqual([text(0), text(1), text(2)], ["one\n", "two\n", "three\n"]);
  for (const fd of [...pipes.flat(), started.pidfd]) fs.close(fd);
  // ls opens one itself, to list the directory.
  const { text: listed } = output(["/bin/ls", "/proc/self/fd"]);
  assert.equal(listed.trim().split(/\s+/).length, 3, listed);
});

test("spawn: says what failed, and leaves nothing", (t) => {
  const { path } = scratchDirectory(t);
  const before = openDescriptors();
  const base = { argv: ["x"], env: [], fds: [0, 1, 2] };
  const cases: readonly [() => unknown, string, string, string][] = [
    [() => process.spawn({ ...base, path: "/no/such/program" }), "ENOENT", "execve", "/no/such/program"],
    [() => process.spawn({ ...base, path }), "EACCES", "execve", path],
    [() => process.spawn({ ...base, path: "/bin/true", cwd: "/no/such/dir" }), "ENOENT", "chdir", "/no/such/dir"],
    [() => process.spawn({ ...base, path: "/bin/true", fds: [0, 1, 999] }), "EBADF", "dup3", "/bin/true"],
    [() => process.spawn({ ...base, path: "/bin/true", fds: [-7] }), "EBADF", "spawn", "/bin/true"],
    [() => process.spawn({ ...base, path: "/bin/t\0rue" }), "EINVAL", "spawn", "/bin/t\0rue"],
  ];
  for (const [body, errno, call, subject] of cases) {
    const error = sysErrorOf(body);
    assert.deepEqual([error.errno, error.call, error.subject], [errno, call, subject]);
  }
  assert.deepEqual(openDescriptors(), before);
  assert.equal(sysErrorOf(() => process.waitpid(-1, WNOHANG)).errno, "ECHILD");
});

test("spawn: default dispositions and an empty mask, whatever ours are", () => {
  const status = inChild(() => {
    process.ignoreSignal(SIGUSR1);
    process.setSignalMask([SIGTERM, SIGUSR1]);
    const { text } = output(["/bin/grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]);
    assert.equal(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    process.setSignalMask([]);
  });
  assert.equal(status.code, 0);
});

test("processStat: what /proc/PID/stat says, of ourselves, of a child that has ended, and of nobody", () => {
  const text = fs.readTextAt(AT_FDCWD, "/proc/self/stat", 4096);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  // SIGPIPE is ignored in the host.
  assert.deepEqual(process.processStat(process.getpid()), {
    letter: "R",
    parent: process.getppid(),
    startTime: Number(fields[19]),
    deaf: true,
  });
  const ended = process.spawn({ path: "/bin/true", argv: ["true"], env: [], fds: [] });
  poll.pollOne(ended.pidfd, 1, 5000);
  assert.equal(process.processStat(ended.pid)?.letter, "Z");
  assert.equal(process.processStat(ended.pid)?.parent, process.getpid());
  process.waitpid(ended.pid, 0);
  assert.equal(process.processStat(ended.pid), null);
  fs.close(ended.pidfd);
});

test("spawn: setsid and deathSignal", () => {
  const { text } = output(["/bin/sh", "-c", "cut -d' ' -f1,6 /proc/$$/stat"], {});
  assert.equal(text.split(" ").length, 2);
  const started = process.spawn({
    path: "/bin/sleep",
    argv: ["sleep", "60"],
    env: [],
    fds: [],
    setsid: true,
    deathSignal: SIGTERM,
  });
  const fields = fs.readTextAt(AT_FDCWD, `/proc/${started.pid}/stat`, 4096).split(" ");
  assert.equal(Number(fields[5]), started.pid);
  process.pidfdSendSignal(started.pidfd, SIGTERM);
  assert.deepEqual(process.waitpid(started.pid, 0), { pid: started.pid, kind: "signaled", code: SIGTERM });
  fs.close(started.pidfd);
});

test("deathSignal: the child does not outlive us", () => {
  const [read, write] = fs.pipe2(0);
  inChild(() => {
    process.spawn({ path: "/bin/sleep", argv: ["sleep", "60"], env: [], fds: [-1, write], deathSignal: SIGTERM });
  });
  fs.close(write);
  assert.ok(poll.pollOne(read, 1, 10_000));
  assert.equal(fs.read(read, 1).length, 0);
  fs.close(read);
});

test("execveat: by path, by descriptor, and why not", () => {
  const run = (body: () => unknown): number =>
    inChild(() => {
      body();
    }).code;
  assert.equal(
    run(() => process.execveat(AT_FDCWD, "/bin/sh", ["sh", "-c", "exit 11"], [], 0)),
    11,
  );
  const fd = fs.openat(AT_FDCWD, "/bin/sh", O_PATH, 0);
  assert.equal(
    run(() => process.execveat(fd, "", ["sh", "-c", "exit 12"], [], 0x1000)),
    12,
  );
  fs.close(fd);
  const error = sysErrorOf(() => process.execveat(AT_FDCWD, "/none", ["x"], [], 0));
  assert.deepEqual([error.errno, error.call], ["ENOENT", "execveat"]);
  // SIGPIPE was put back to ignored after the failure.
  assert.match(fs.readTextAt(AT_FDCWD, "/proc/self/status", 1 << 16), /SigIgn:\t0000000000001000/);
  // What is started has it at its default: the pipe's end kills it.
  const [read, write] = fs.pipe2(0);
  fs.close(read);
  const status = inChild(() => {
    fs.dup3(write, 1, false);
    process.execveat(AT_FDCWD, "/bin/sh", ["sh", "-c", "kill -PIPE $$"], [], 0);
  });
  assert.deepEqual(status, { kind: "signaled", code: SIGPIPE });
  fs.close(write);
});

test("waitpid, kill: who is not there", () => {
  assert.equal(sysErrorOf(() => process.kill(2 ** 22 + 1, 0)).errno, "ESRCH");
  assert.equal(sysErrorOf(() => process.pidfdOpen(2 ** 22 + 1, 0)).errno, "ESRCH");
  const { pid, pidfd } = process.clone3({ flags: 0 });
  if (pid === 0) {
    host.sleepMs(60_000);
    process.exit(0);
  }
  assert.equal(process.waitpid(pid, WNOHANG), null);
  process.kill(pid, 9);
  assert.deepEqual(process.waitpid(pid, 0), { pid, kind: "signaled", code: 9 });
  fs.close(pidfd);
});

test("limits: -1 is infinity; a small stack limit later does not matter", () => {
  const status = inChild(() => {
    const { hard } = process.getrlimit(0, 7);
    process.setrlimit(0, 7, 64, hard);
    assert.deepEqual(process.getrlimit(0, 7), { soft: 64, hard });
    process.setrlimit(0, 3, 16384, -1);
    const deep = (n: number): number => (n === 0 ? 0 : 1 + deep(n - 1));
    assert.equal(deep(500), 500);
    assert.throws(() => deep(1e7), { name: "RangeError" });
    assert.equal(sysErrorOf(() => process.getrlimit(0, 99)).errno, "EINVAL");
  });
  assert.equal(status.code, 0);
});

test("recursion throws in every kind of call", () => {
  const json = "[".repeat(100_000);
  assert.throws(
    () => JSON.parse(json),
    (error) => error instanceof Error,
  );
  const nested: unknown[] = [];
  let inner = nested;
  for (let i = 0; i < 100_000; i++) inner.push((inner = []));
  assert.throws(
    () => JSON.stringify(nested),
    (error) => error instanceof Error,
  );
  assert.equal(/^(?:a|b)*c/.test("ab".repeat(100_000)), false);
  const sorter = (): number => [2, 1].sort(sorter)[0] ?? 0;
  assert.throws(sorter, { name: "RangeError" });
});

test("credentials, umask, directories, names", (t) => {
  const { path } = scratchDirectory(t);
  assert.deepEqual([process.getuid(), process.getgid()], [process.geteuid(), process.getegid()]);
  assert.ok(Array.isArray(process.getgroups()));
  const mask = process.umask(0o22);
  assert.equal(process.umask(mask), 0o22);
  const status = inChild(() => {
    process.chdir(path);
    assert.equal(process.getcwd(), path);
    const root = fs.openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
    process.fchdir(root);
    assert.equal(process.getcwd(), "/");
    assert.equal(process.setsid(), process.getpid());
    process.setTitle("teu-host-test");
    assert.equal(fs.readTextAt(AT_FDCWD, "/proc/self/comm", 100), "teu-host-test\n");
    assert.match(fs.readTextAt(AT_FDCWD, "/proc/self/cmdline", 4096), /^teu-host-test\0/);
  });
  assert.equal(status.code, 0);
  assert.equal(process.uname().sysname, "Linux");
  assert.equal(process.machine(), process.uname().machine);
  assert.ok(process.args().length >= 0 && process.environ().every((entry) => entry.includes("=")));
});

test("prctl: numbers only", () => {
  assert.equal(process.prctl(3, 0, 0, 0, 0), 1);
  assert.equal(sysErrorOf(() => process.prctl(16, 4096, 0, 0, 0)).errno, "EFAULT");
  assert.equal(sysErrorOf(() => process.prctl(12345, 0, 0, 0, 0)).errno, "EINVAL");
});

test("scheduling: affinity and attributes of a child", () => {
  const status = inChild(() => {
    process.schedSetaffinity(0, [0]);
    assert.match(fs.readTextAt(AT_FDCWD, "/proc/self/status", 1 << 16), /Cpus_allowed_list:\t0\n/);
    process.setpriority(0, 0, 5);
    process.schedSetattr(0, { policy: 3, flags: 0, nice: 7, priority: 0, runtime: 0, deadline: 0, period: 0 });
    process.ioprioSet(1, 0, (2 << 13) | 4);
    assert.equal(sysErrorOf(() => process.schedSetaffinity(0, [99_999])).errno, "EINVAL");
    assert.equal(process.personality(0xffffffff), 0);
  });
  assert.equal(status.code, 0);
});
