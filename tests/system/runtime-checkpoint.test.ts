// checkpoint and restore: what the runtime asks of CRIU, with a stand-in that decodes it with CRIU's own protocol buffers; and the real thing,
// with a CRIU that works on this kernel. Needs root.

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type { Spec } from "@teu/specs/runtime";
import { cases } from "../../conformance/runtime/lifecycle/checkpoint.ts";
import { Bench, expectOk, withLinux } from "../../conformance/runtime/case.ts";
import { runCase } from "../../conformance/runtime/run.ts";
import { workingCriu } from "./newer-criu.ts";

const RUNTIME = join(import.meta.dirname, "../../bin/teu-runtime");
const root = process.geteuid?.() === 0;
/** One for each test: its ids are by process and number. */
let bench: Bench;
beforeEach(() => {
  bench = new Bench(RUNTIME);
});
afterEach(() => bench.dispose());

// ---- with the stand-in

const decodes = spawnSync("/usr/bin/python3", ["-c", "from pycriu import rpc_pb2"]).status === 0;
const skip = root ? !decodes && "needs the package criu, for its Python part" : "needs root";
/** Calls the runtime with the stand-in first in PATH. */
function call(mode: string, ...words: string[]): ReturnType<Bench["call"]> {
  const programs = join(bench.directory, "programs");
  mkdirSync(programs, { recursive: true });
  copyFileSync(join(import.meta.dirname, "fake-criu.py"), join(programs, "criu"));
  const requests = join(bench.directory, "requests");
  rmSync(requests, { force: true });
  const path = `${programs}:${process.env["PATH"] ?? ""}`;
  return bench.callWith({ env: { PATH: path, FAKE_CRIU: mode, FAKE_CRIU_LOG: requests } }, ...words);
}

function noted(): string {
  return readFileSync(join(bench.directory, "requests"), "utf8");
}

function sleeping(change: (spec: Spec) => Spec = (spec) => spec): { readonly id: string; readonly path: string } {
  const bundle = bench.script("exec sleep 300", (spec) => change({ ...spec, root: { path: "rootfs" } }));
  return { id: bench.started(bundle), path: bundle.path };
}

const images = (): string => mkdtempSync(join(bench.directory, "images-"));

test("checkpoint: every flag reaches CRIU", { skip }, () => {
  const { id } = sleeping((spec) => ({
    ...spec,
    mounts: [...(spec.mounts ?? []), { destination: "/data", type: "bind", source: "/tmp", options: ["bind"] }],
  }));
  const directory = images();
  mkdirSync(join(directory, "../before"));
  const flags =
    "--tcp-established --tcp-skip-in-flight --link-remap --ext-unix-sk --shell-job --file-locks --auto-dedup --leave-running";
  const values = `--manage-cgroups-mode full --empty-ns network --page-server [::1]:9000 --status-fd 1 --parent-path ../before`;
  expectOk(call("", "checkpoint", "--image-path", directory, ...flags.split(" "), ...values.split(" "), id));
  const text = noted();
  for (const name of "tcp_established tcp_skip_in_flight link_remap ext_unix_sk shell_job file_locks auto_dedup leave_running track_mem".split(
    " ",
  ))
    assert.match(text, new RegExp(`\\b${name}: true`), name);
  assert.match(text, /type: DUMP\b/);
  assert.match(text, /ps \{ address: "::1" port: 9000 \}/);
  assert.match(text, /manage_cgroups_mode: FULL/);
  assert.match(text, /empty_ns: 1073741824/);
  assert.match(text, /status_fd: 1\b/);
  assert.match(text, /parent_img: "\.\.\/before"/);
  assert.match(text, /ext_mnt \{ key: "\/data" val: "\/data" \}/);
  assert.match(text, /cgroup_dump_controller: "pids"|freeze_cgroup: "\/sys\/fs\/cgroup\/[^"]*"/);
  assert.match(text, /freeze_cgroup: "\/sys\/fs\/cgroup\//);
  assert.match(text, new RegExp(`images are ${directory}`));
  assert.equal(bench.status(id), "running");
});

test("checkpoint: without --leave-running the container is gone, cgroup and state too", { skip }, () => {
  const { id } = sleeping();
  expectOk(call("", "checkpoint", "--image-path", images(), id));
  assert.match(bench.call("state", id).err, /does not exist/);
  assert.equal(existsSync(`/sys/fs/cgroup/pids/${id}`), false);
});

test("checkpoint: warns that lazy pages are open to all", { skip }, () => {
  const { id } = sleeping();
  const asked = ["--lazy-pages", "--page-server", "127.0.0.1:9000", "--leave-running"];
  const { err } = expectOk(call("", "checkpoint", "--image-path", images(), ...asked, id));
  assert.match(err, /on port 9000 of all addresses, not only 127\.0\.0\.1/);
});

test("checkpoint: a root that is read-only is so again, and the container goes on, when CRIU fails", { skip }, () => {
  const { id } = sleeping((spec) => ({ ...spec, root: { path: "rootfs", readonly: true } }));
  assert.equal(call("fail", "checkpoint", "--image-path", images(), id).code, 1);
  assert.equal(bench.status(id), "running");
  assert.match(bench.call("exec", id, "/bin/touch", "/x").err, /Read-only file system/);
  // One that was paused stays so.
  expectOk(bench.call("pause", id));
  assert.equal(call("fail", "checkpoint", "--image-path", images(), id).code, 1);
  assert.equal(bench.status(id), "paused");
  expectOk(bench.call("resume", id));
  assert.match(bench.call("exec", id, "/bin/touch", "/x").err, /Read-only file system/);
});

test("checkpoint: unsupported when a root is read-only and no cgroup can hold the processes", { skip }, () => {
  const bundle = bench.script("exec sleep 300", (spec) => ({ ...spec, root: { path: "rootfs", readonly: true } }));
  const id = bench.started(bundle);
  const state = join(bench.directory, "root", id, "state.json");
  const text = readFileSync(state, "utf8");
  // As of a rootless one.
  const record = JSON.parse(text) as { cgroup: object };
  writeFileSync(state, JSON.stringify({ ...record, cgroup: { kind: "none", directories: [] } }));
  const { code, err } = call("", "checkpoint", "--image-path", images(), id);
  writeFileSync(state, text);
  assert.equal(code, 1);
  assert.match(err, /its root is read-only, and it has no cgroup/);
  assert.equal(bench.status(id), "running");
});

test("checkpoint: --pre-dump asks for memory only", { skip }, () => {
  const { id } = sleeping();
  expectOk(call("", "checkpoint", "--pre-dump", "--image-path", images(), id));
  assert.match(noted(), /type: PRE_DUMP\b.*track_mem: true/);
  assert.doesNotMatch(noted(), /ext_mnt/);
  assert.equal(bench.status(id), "running");
  const refused = call("no-tracking", "checkpoint", "--pre-dump", "--image-path", images(), id);
  assert.match(refused.err, /CONFIG_MEM_SOFT_DIRTY/);
});

for (const [mode, want] of [
  ["fail", /criu failed: type DUMP errno 1: CRIU 3\.17 says .*refused as told: EPERM.*dump\.log.*/],
  ["die", /criu failed: type DUMP errno 0/],
  ["old", /it is version 3\.14, and 3\.16 is the oldest/],
] as const) {
  test(`checkpoint: says why when CRIU is told to "${mode}", and the container goes on`, { skip }, () => {
    const { id } = sleeping();
    const { code, err } = call(mode, "checkpoint", "--image-path", images(), id);
    assert.equal(code, 1);
    assert.match(err, want);
    // The log line is about limits, and this is what limits need.
    const held =
      (BigInt(`0x${/CapEff:\s*(\w+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`) >> 24n) & 1n;
    if (mode === "fail" && held === 0n) assert.match(err, /this process lacks CAP_SYS_RESOURCE/);
    assert.equal(bench.status(id), "running");
  });
}

test("restore: CRIU finds root, cgroup, streams and sources; the container is recorded as running", { skip }, () => {
  const hooks = (["prestart", "createRuntime", "poststart", "poststop"] as const).map((kind) => [
    kind,
    [{ path: "/bin/sh", args: ["sh", "-c", `echo ${kind} >>${bench.directory}/hooks`] }],
  ]);
  const { id, path } = sleeping((spec) => ({
    ...spec,
    hooks: Object.fromEntries(hooks),
    mounts: [...(spec.mounts ?? []), { destination: "/data", type: "bind", source: "/tmp", options: ["bind"] }],
  }));
  const directory = images();
  expectOk(call("", "checkpoint", "--image-path", directory, id));
  const before = readFileSync("/proc/self/mountinfo", "utf8");
  rmSync(join(bench.directory, "hooks"));
  const pidFile = join(bench.directory, "pid");
  const flags = ["--tcp-established", "--manage-cgroups-mode", "soft", "-no-subreaper", "--pid-file", pidFile];
  expectOk(call("", "restore", "--detach", "--image-path", directory, ...flags, "--bundle", path, id));
  const text = noted();
  assert.match(text, /type: RESTORE\b.*tcp_established: true.*rst_sibling: true.*manage_cgroups_mode: SOFT/);
  assert.match(text, /ext_mnt \{ key: "\/data" val: "\/tmp" \}/);
  assert.match(text, /root is mounted: True/);
  assert.match(text, new RegExp(`cgroup \\[.*:pids:[^ ]*/${id}'|cgroup \\['0::[^ ]*/${id}'`));
  assert.match(text, /inherited file\[[0-9a-f]+:[0-9a-f]+\] is \S+\/std\.out/);
  assert.equal(readFileSync("/proc/self/mountinfo", "utf8"), before);
  const state = JSON.parse(expectOk(bench.call("state", id)).out) as { pid: number; status: string };
  assert.equal(state.status, "running");
  assert.equal(readFileSync(pidFile, "utf8"), String(state.pid));
  assert.deepEqual(readdirSync(join(bench.directory, "root", id)).sort(), ["config.json", "state.json"]);
  expectOk(bench.call("delete", "--force", id));
  const ran = readFileSync(join(bench.directory, "hooks"), "utf8").trim().split("\n");
  assert.deepEqual(ran, ["prestart", "createRuntime", "poststart", "poststop"]);
});

for (const [what, mode, change] of [
  ["CRIU fails", "fail", {}],
  ["CRIU dies", "die", {}],
  ["a createRuntime hook fails", "", { createRuntime: [{ path: "/bin/false" }] }],
  ["a poststart hook fails", "", { poststart: [{ path: "/bin/false" }] }],
] as const) {
  test(`restore: nothing is left when ${what}`, { skip }, () => {
    const { id, path } = sleeping();
    const directory = images();
    expectOk(call("", "checkpoint", "--image-path", directory, id));
    const file = join(path, "config.json");
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, "utf8")) as Spec), hooks: change }));
    const before = readFileSync("/proc/self/mountinfo", "utf8");
    const { code, err } = call(mode, "restore", "--detach", "--image-path", directory, "--bundle", path, id);
    assert.equal(code, 1);
    assert.match(err, mode === "" ? /hook #0: exit status 1/ : /criu failed: type RESTORE/);
    assert.equal(existsSync(join(bench.directory, "root", id)), false);
    assert.equal(readFileSync("/proc/self/mountinfo", "utf8"), before);
    for (const hierarchy of ["pids", "memory", "unified", "."])
      assert.equal(existsSync(`/sys/fs/cgroup/${hierarchy}/${id}`), false);
  });
}

// ---- with CRIU

const criu = root ? workingCriu() : { reason: "needs root" };
const noCriu = "reason" in criu ? criu.reason : false;
if ("path" in criu) process.env["PATH"] = [...criu.path, process.env["PATH"] ?? ""].join(":");

for (const one of cases) {
  test(`with CRIU: ${one.name}`, { skip: noCriu }, (context) => {
    bench.dispose();
    const { status, reason } = runCase(one, RUNTIME);
    if (status === "skipped") context.skip(reason);
    else assert.equal(status, "passed", reason);
  });
}

/** Holds a lock, or sends counted messages to itself over TCP. */
const HELPER = `
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
  if (argc > 1) {
    int file = open("/tmp/lock", O_RDWR | O_CREAT, 0644);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file, F_SETLK, &lock)) return 3;
    if (argv[1][0] == 't') return 0;
    close(open("/tmp/count", O_RDWR | O_CREAT, 0644));
    for (;;) pause();
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7000), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1)) return 4;
  if (connect(client, (void *)&address, sizeof address)) return 5;
  int server = accept(listener, 0, 0);
  for (long i = 1;; i++) {
    char sent[32], got[32];
    int length = sprintf(sent, "%ld", i);
    if (write(client, sent, length) != length || read(server, got, 32) != length || memcmp(sent, got, length)) return 6;
    FILE *file = fopen("/tmp/next", "w");
    fprintf(file, "%ld\\n", i);
    fclose(file);
    rename("/tmp/next", "/tmp/count");
    usleep(20000);
  }
}
`;

function helperBundle(argument: string): { readonly path: string; readonly rootfs: string } {
  const program = join(bench.directory, "helper");
  execFileSync("gcc", ["-static", "-O1", "-x", "c", "-", "-o", program], { input: HELPER });
  const bundle = bench.script(`exec </dev/null >/dev/null 2>&1 /bin/helper ${argument}`, (spec) =>
    withLinux({ ...spec, root: { path: "rootfs" } }, {}),
  );
  copyFileSync(program, join(bundle.rootfs, "bin/helper"));
  return bundle;
}

function startHelper(bundle: { readonly path: string; readonly rootfs: string }): string {
  const id = bench.started(bundle);
  bench.until("it has begun", () => existsSync(join(bundle.rootfs, "tmp/count")));
  return id;
}

function roundTrip(bundle: { readonly path: string }, id: string, flag: string): void {
  const directory = images();
  const refused = bench.call("checkpoint", "--image-path", directory, id);
  assert.equal(refused.code, 1);
  assert.match(refused.err, new RegExp(`give ${flag}`));
  assert.equal(bench.status(id), "running");
  expectOk(bench.call("checkpoint", flag, "--image-path", directory, id));
  expectOk(bench.call("restore", "--detach", flag, "--image-path", directory, "--bundle", bundle.path, id));
}

test("with CRIU: a TCP connection inside the container survives, with --tcp-established only", { skip: noCriu }, () => {
  const bundle = helperBundle("");
  const id = startHelper(bundle);
  const count = (): number => Number(readFileSync(join(bundle.rootfs, "tmp/count"), "utf8"));
  roundTrip(bundle, id, "--tcp-established");
  const before = count();
  bench.until("messages go on", () => count() > before + 5);
});

test("with CRIU: a file lock is held afterwards, with --file-locks only", { skip: noCriu }, () => {
  const bundle = helperBundle("lock");
  const id = startHelper(bundle);
  roundTrip(bundle, id, "--file-locks");
  assert.equal(bench.call("exec", id, "/bin/helper", "try").code, 3);
});

test(
  "with CRIU: a terminal gets a new master; restore in the foreground relays it and exits as the program does",
  { skip: noCriu },
  async () => {
    const bundle = bench.script("read a; echo got $a; read b; echo then $b; exit 7", (spec) => ({
      ...spec,
      root: { path: "rootfs" },
      process: { cwd: "/", ...spec.process, terminal: true },
    }));
    const id = bench.id();
    const directory = images();
    const inTerminal = (
      words: readonly string[],
      wait: RegExp,
      input: string,
    ): Promise<{ code: number; text: string }> =>
      new Promise((resolve) => {
        const line = [RUNTIME, "--root", join(bench.directory, "root"), ...words].join(" ");
        const child = spawn("script", ["-qec", line, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
        let text = "";
        child.stdin.write(input);
        child.stdout.on("data", (data: Buffer) => {
          text += data.toString();
          if (wait.test(text) && words[0] === "run") {
            const { code, err } = bench.call("checkpoint", "--image-path", directory, id);
            if (code !== 0) text += err;
          }
        });
        child.on("exit", (code) => resolve({ code: code ?? -1, text }));
      });
    const first = await inTerminal(["run", "--bundle", bundle.path, id], /got one/, "one\n");
    assert.match(first.text, /got one/);
    assert.equal(first.code, 137, first.text);
    const second = await inTerminal(
      ["restore", "--image-path", directory, "--bundle", bundle.path, id],
      /then/,
      "two\n",
    );
    assert.match(second.text, /then two/);
    assert.equal(second.code, 7, second.text);
  },
);

test("with CRIU: a checkpoint that runc took is restored", { skip: noCriu }, (context) => {
  if (spawnSync("runc", ["--version"]).status !== 0) return context.skip("runc is not installed");
  const bundle = bench.script("exec </dev/null >/dev/null 2>&1; while :; do sleep 0.1; done", (spec) => ({
    ...spec,
    root: { path: "rootfs" },
  }));
  const id = bench.id();
  const directory = images();
  const runc = (...words: string[]): void => {
    const root = ["--root", join(bench.directory, "runc")];
    assert.equal(spawnSync("runc", [...root, ...words], { stdio: ["ignore", "ignore", 2] }).status, 0, words.join(" "));
  };
  runc("run", "--detach", "--bundle", bundle.path, id);
  runc("checkpoint", "--image-path", directory, "--work-path", directory, id);
  expectOk(bench.call("restore", "--detach", "--image-path", directory, "--bundle", bundle.path, id));
  assert.equal(bench.status(id), "running");
});

/** Counts in /tmp/count, whole at any moment. */
function countingBundle(change: (spec: Spec) => Spec): { readonly path: string; readonly rootfs: string } {
  const script =
    "exec </dev/null >/dev/null 2>&1; i=0; while :; do i=$((i+1)); echo $i >/tmp/next; mv /tmp/next /tmp/count; sleep 0.05; done";
  return bench.script(script, (spec) => change({ ...spec, root: { path: "rootfs" } }));
}

function countOf(bundle: { readonly rootfs: string }): number {
  return Number(readFileSync(join(bundle.rootfs, "tmp/count"), "utf8"));
}

test("with CRIU: a container in a user namespace goes on, as the same users", { skip: noCriu }, () => {
  const bundle = countingBundle((spec) => {
    const ids = [{ containerID: 0, hostID: 200_000, size: 65_536 }];
    const namespaces = [...(spec.linux?.namespaces ?? []), { type: "user" as const }];
    return withLinux(spec, { namespaces, uidMappings: ids, gidMappings: ids });
  });
  execFileSync("chown", ["-R", "200000:200000", bundle.rootfs]);
  for (let path = bundle.rootfs; path.startsWith(bench.directory); path = join(path, "..")) chmodSync(path, 0o755);
  const id = startHelper(bundle);
  const directory = images();
  expectOk(bench.call("checkpoint", "--image-path", directory, "--work-path", directory, id));
  chmodSync(directory, 0o755);
  for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o644);
  const before = countOf(bundle);
  const words = ["--image-path", directory, "--work-path", directory, "--bundle", bundle.path];
  expectOk(bench.call("restore", "--detach", ...words, id));
  bench.until("it goes on", () => countOf(bundle) > before);
  const { pid } = JSON.parse(expectOk(bench.call("state", id)).out) as { pid: number };
  assert.match(readFileSync(`/proc/${pid}/uid_map`, "utf8"), /^ *0 +200000 +65536$/m);
  assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), /^Uid:\t200000\t/m);
  assert.equal(expectOk(bench.call("exec", id, "/bin/id", "-u")).out, "0");
});

test(
  "with CRIU: --lazy-pages fetches memory from `criu lazy-pages` once the program runs again",
  { skip: noCriu },
  async (context) => {
    const features = spawnSync("criu", ["check", "--feature", "uffd-noncoop"]);
    if (features.status !== 0) return context.skip("this kernel's userfaultfd cannot tell CRIU of forks");
    const bundle = countingBundle((spec) => spec);
    const id = startHelper(bundle);
    const directory = images();
    expectOk(bench.call("checkpoint", "--image-path", directory, "--work-path", directory, id));
    const before = countOf(bundle);
    const words = ["--image-path", directory, "--work-path", directory, "--bundle", bundle.path];
    // Without the server of pages: an error that names it, and nothing is left.
    const refused = bench.call("restore", "--detach", "--lazy-pages", ...words, id);
    assert.equal(refused.code, 1);
    assert.match(refused.err, /criu lazy-pages/);
    assert.equal(existsSync(`/sys/fs/cgroup/pids/${id}`), false);
    const server = spawn("criu", ["lazy-pages", "--images-dir", directory, "--work-dir", directory], {
      stdio: "ignore",
    });
    const ended = new Promise<number | null>((resolve) => server.on("exit", resolve));
    try {
      bench.until("the server of pages listens", () => existsSync(join(directory, "lazy-pages.socket")));
      expectOk(bench.call("restore", "--detach", "--lazy-pages", ...words, id));
      bench.until("it goes on", () => countOf(bundle) > before);
      // It has handed over every page.
      assert.equal(await ended, 0);
    } finally {
      server.kill("SIGKILL");
    }
    assert.equal(bench.status(id), "running");
  },
);

test(
  "with CRIU: a read-only root is read-only again before anything runs, and while it is left running",
  { skip: noCriu },
  () => {
    const script =
      "exec </dev/null >/dev/null 2>&1; while :; do touch /no 2>/dev/null && touch /tmp/written; sleep 0.02; done";
    const bundle = bench.script(script, (spec) => ({
      ...spec,
      root: { path: "rootfs", readonly: true },
      mounts: [...(spec.mounts ?? []), { destination: "/tmp", type: "tmpfs", source: "tmpfs" }],
    }));
    const id = bench.started(bundle);
    const untouched = (): void => {
      assert.equal(bench.status(id), "running");
      assert.match(bench.call("exec", id, "/bin/touch", "/x").err, /Read-only file system/);
      // What the program itself tries all the time.
      assert.equal(bench.call("exec", id, "/bin/ls", "/tmp").out, "");
    };
    const directory = images();
    const place = ["--image-path", directory, "--work-path", directory];
    expectOk(bench.call("checkpoint", "--leave-running", ...place, id));
    untouched();
    expectOk(bench.call("checkpoint", ...place, id));
    expectOk(bench.call("restore", "--detach", ...place, "--bundle", bundle.path, id));
    untouched();
    assert.deepEqual(
      readdirSync(bundle.rootfs).filter((name) => name === "no" || name === "x" || /criu|crtools/.test(name)),
      [],
    );
  },
);
