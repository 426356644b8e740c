// sys:poll for real: epoll, signals, timers, inotify, waiting that signals do not shorten.
// portable: runs in the host.

import { O_CREAT, O_NONBLOCK, O_WRONLY } from "../constants/fs.ts";
import { realKernel } from "../real.ts";
import { assert } from "../test-host/assert.ts";
import { test } from "../test-host/test.ts";
import { inChild, scratchDirectory, sysErrorOf } from "./scratch.ts";

const { fs, host, poll, process } = realKernel;
const [POLLIN, POLLOUT, EPOLLHUP] = [1, 4, 16];
const SIGUSR1 = 10;

test("epoll: tokens come back with their events", () => {
  const epoll = poll.create();
  const [read, write] = fs.pipe2(O_NONBLOCK);
  poll.add(epoll, read, POLLIN, 2 ** 40 + 7);
  assert.deepEqual(poll.wait(epoll, 0), []);
  fs.write(write, "x");
  assert.deepEqual(poll.wait(epoll, -1), [{ token: 2 ** 40 + 7, events: POLLIN }]);
  poll.modify(epoll, read, 0, 5);
  assert.deepEqual(poll.wait(epoll, 0), []);
  fs.close(write);
  assert.deepEqual(poll.wait(epoll, -1), [{ token: 5, events: EPOLLHUP }]);
  poll.remove(epoll, read);
  assert.equal(sysErrorOf(() => poll.remove(epoll, read)).errno, "ENOENT");
  assert.equal(sysErrorOf(() => poll.add(epoll, 999, POLLIN, 0)).errno, "EBADF");
  fs.close(read);
  fs.close(epoll);
});

test("pollOne: in time or not", () => {
  const [read, write] = fs.pipe2(0);
  const start = host.monotonicNs();
  assert.equal(poll.pollOne(read, POLLIN, 30), false);
  assert.ok(host.monotonicNs() - start >= 30_000_000n);
  assert.equal(poll.pollOne(write, POLLOUT, 0), true);
  assert.equal(sysErrorOf(() => poll.pollOne(999, POLLIN, 0)).errno, "EBADF");
  fs.close(write);
  assert.equal(poll.pollOne(read, POLLIN, -1), true);
  fs.close(read);
});

test("signalfd: who sent what; none is null", () => {
  const status = inChild(() => {
    const fd = poll.signalfd([SIGUSR1, 17]);
    assert.equal(poll.readSignal(fd), null);
    process.kill(process.getpid(), SIGUSR1);
    assert.deepEqual(poll.readSignal(fd), { signal: SIGUSR1, pid: process.getpid(), uid: process.getuid() });
    const { pid } = process.clone3({ flags: 0 });
    if (pid === 0) process.exit(0);
    assert.ok(poll.pollOne(fd, POLLIN, 10_000));
    assert.equal(poll.readSignal(fd)?.pid, pid);
    process.waitpid(pid, 0);
    assert.equal(sysErrorOf(() => poll.signalfd([65])).errno, "EINVAL");
  });
  assert.equal(status.code, 0);
});

test("timerfd: once, repeated, disarmed, at once", () => {
  const fd = poll.timerfd(20, 0);
  assert.equal(poll.readTimer(fd), 0);
  assert.ok(poll.pollOne(fd, POLLIN, 5000));
  assert.equal(poll.readTimer(fd), 1);
  poll.setTimer(fd, 1, 2);
  host.sleepMs(30);
  assert.ok(poll.readTimer(fd) > 3);
  poll.setTimer(fd, -1, 0);
  assert.equal(poll.pollOne(fd, POLLIN, 20), false);
  poll.setTimer(fd, 0, 0);
  assert.ok(poll.pollOne(fd, POLLIN, 5000));
  fs.close(fd);
});

test("eventfd: empty at first, then the count", () => {
  const fd = poll.eventfd();
  assert.equal(sysErrorOf(() => fs.read(fd, 8)).errno, "EAGAIN");
  assert.equal(poll.pollOne(fd, 1, 0), false);
  fs.write(fd, new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0]));
  assert.equal(poll.pollOne(fd, 1, 0), true);
  assert.deepEqual([...fs.read(fd, 8)], [3, 0, 0, 0, 0, 0, 0, 0]);
  fs.close(fd);
});

test("inotify: an event for a new file", (t) => {
  const { fd: dir, path } = scratchDirectory(t);
  const fd = poll.inotify();
  assert.ok(poll.inotifyAdd(fd, path, 0x100) > 0);
  fs.close(fs.openat(dir, "new", O_WRONLY | O_CREAT, 0o600));
  assert.ok(poll.pollOne(fd, POLLIN, 5000));
  assert.match(host.utf8Decode(fs.read(fd, 4096)), /new\0/);
  assert.equal(sysErrorOf(() => poll.inotifyAdd(fd, `${path}/none`, 0x100)).errno, "ENOENT");
  fs.close(fd);
});

test("host: clocks, randomness, digests, log lines", () => {
  const before = host.monotonicNs();
  host.sleepMs(5);
  assert.ok(host.monotonicNs() - before >= 5_000_000n);
  assert.ok(host.realtimeNs() > 1_700_000_000_000_000_000n);
  assert.equal(host.randomBytes(33).length, 33);
  assert.notDeepEqual(host.randomBytes(16), host.randomBytes(16));
  assert.equal(host.sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.equal(host.utf8Decode(new Uint8Array([0x61, 0xff, 0xf0, 0x9f, 0x98, 0x80])), "a\u{fffd}😀");
  assert.deepEqual(host.utf8Encode("ä\udcff\ud800"), new Uint8Array([0xc3, 0xa4, 0xff, 0xef, 0xbf, 0xbd]));
  assert.equal(
    host.utf8Decode(host.jsonLines(new Uint8Array([0x61, 0x0a, 0x22, 0xff]), "<", ">")),
    '<a\\n><\\"\u{fffd}>',
  );
  assert.equal(host.isStrictJson('{"a":[{"b":"x"}],"b":1}', 3), true);
  assert.equal(host.isStrictJson('{"a":1,"a":2}', 3), false);
  assert.equal(host.isStrictJson("[[1]]", 1), false);
  const { peakKiB, currentKiB } = host.memory();
  assert.ok(currentKiB > 500 && peakKiB > 500);
  assert.match(host.version().quickjs, /^\d+\.\d+\.\d+$/);
});
