// The runtime under containerd's shim: a containerd of its own, driven by ctr. Needs root.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  busyboxArchive,
  obstacle,
  type Outcome,
  RUNTIME,
  Sandbox,
  startContainerd,
  strangeControllers,
  until,
} from "./dropin-harness.ts";
import { workingCriu } from "./newer-criu.ts";

const IMAGE = "example.org/busybox:1";
const CONTAINERD = "/usr/bin/containerd";
const CTR = "/usr/bin/ctr";

const criu = process.getuid?.() === 0 ? workingCriu() : { reason: "needs root" };
const noCriu = "reason" in criu ? criu.reason : false;
// For containerd, its shims and the runtime.
if ("path" in criu) process.env["PATH"] = [...criu.path, process.env["PATH"] ?? ""].join(":");
const COUNTER =
  "i=0; while :; do i=$((i+1)); echo $i > /dev/shm/next; mv /dev/shm/next /dev/shm/count; sleep 0.1; done";

let sandbox: Sandbox;
let count = 0;

/** The namespace is also the parent of the containers' cgroups. */
function ctrArguments(...args: readonly string[]): string[] {
  return ["--address", join(sandbox.directory, "containerd.sock"), "--namespace", sandbox.cgroup, ...args];
}

function ctr(...args: readonly string[]): Outcome {
  return sandbox.run(CTR, ctrArguments(...args));
}

function runArguments(flags: readonly string[], id: string, command: readonly string[]): string[] {
  return ["run", "--runc-binary", RUNTIME, ...flags, IMAGE, id, ...command];
}

/** `ctr run --rm`: in the foreground. */
function run(flags: readonly string[], ...command: readonly string[]): Outcome {
  return ctr(...runArguments(["--rm", ...flags], `run${count++}`, command));
}

/** `ctr run --detach`; the id. */
function detached(flags: readonly string[], ...command: readonly string[]): string {
  const id = `box${count++}`;
  expect(ctr(...runArguments(["--detach", ...flags], id, command)));
  return id;
}

function exec(id: string, ...command: readonly string[]): Outcome {
  return ctr("tasks", "exec", "--exec-id", `exec${count++}`, id, ...command);
}

function status(id: string): string {
  const line = expect(ctr("tasks", "list"))
    .out.split("\n")
    .find((one) => one.startsWith(`${id} `));
  return line?.trim().split(/\s+/)[2] ?? "none";
}

function remove(id: string): void {
  ctr("tasks", "kill", "--signal", "SIGKILL", id);
  until(`${id} has stopped`, () => ["STOPPED", "none"].includes(status(id)));
  ctr("tasks", "delete", id);
  expect(ctr("containers", "delete", id));
}

function expect(outcome: Outcome, code = 0): Outcome {
  assert.equal(outcome.code, code, outcome.all);
  return outcome;
}

describe("containerd", { skip: obstacle(CONTAINERD, CTR) }, () => {
  before(() => {
    sandbox = new Sandbox();
    startContainerd(sandbox);
    expect(ctr("images", "import", busyboxArchive(sandbox.directory, IMAGE)));
  });
  after(() => sandbox[Symbol.dispose]());

  test("containerd: run prints and gives the exit code", () => {
    assert.equal(expect(run([], "echo", "hello")).out, "hello");
    expect(run([], "sh", "-c", "exit 7"), 7);
  });

  test("containerd: run keeps stdout and stderr apart and passes stdin on", () => {
    const outcome = sandbox.run(
      CTR,
      ctrArguments(...runArguments(["--rm"], "cat", ["sh", "-c", "head -n 1; echo e >&2"])),
      {
        input: "typed\n",
      },
    );
    assert.deepEqual([outcome.code, outcome.out, outcome.err], [0, "typed", "e"]);
  });

  test("containerd: run with a terminal has one, of the size that it is told", () => {
    const sized = 'for i in $(seq 100); do [ "$(stty size)" = "33 77" ] && break; sleep 0.05; done';
    const shell = `${sized}; stty size; tty; read line; echo got:$line; exit 5`;
    const outcome = sandbox.typed(
      "sh",
      [
        "-c",
        'stty rows 33 cols 77; exec "$@"',
        "sh",
        CTR,
        ...ctrArguments(...runArguments(["--rm", "--tty"], "tty", ["sh", "-c", shell])),
      ],
      "word\n",
    );
    assert.match(outcome.out, /^33 77\s+\/dev\/(pts\/0|console)/m);
    assert.match(outcome.out, /got:word/);
    assert.equal(outcome.code, 5);
  });

  test("containerd: run of what does not exist says so and leaves nothing", () => {
    const outcome = run([], "/nothing");
    assert.notEqual(outcome.code, 0);
    assert.match(outcome.all, /exec: "\/nothing": stat \/nothing: no such file or directory/);
    assert.match(run([], "nothing").all, /exec: "nothing": executable file not found in \$PATH/);
    assert.match(run([], "/etc").all, /exec: "\/etc": (is a directory|permission denied)/);
    assert.equal(expect(ctr("tasks", "list", "--quiet")).out, "");
  });

  test("containerd: run with what the command line can ask for", () => {
    const limits = run(
      ["--memory-limit", "67108864", "--cpus", "0.5", "--env", "WORD=x y", "--cwd", "/tmp", "--read-only"],
      "sh",
      "-c",
      'echo "$WORD"; pwd; touch /file || true; cat /proc/self/cgroup',
    );
    assert.match(limits.out, /^x y\n\/tmp\n/);
    assert.match(limits.err, /Read-only file system/);
    const volume = sandbox.path("volume");
    const mount = ["--mount", `type=bind,src=${volume},dst=/mnt,options=rbind:rw`];
    expect(run([...mount, "--cap-add", "CAP_SYS_ADMIN"], "sh", "-c", "echo here > /mnt/file; umount /mnt"));
    assert.equal(readFileSync(join(volume, "file"), "utf8"), "here\n");
    assert.match(run(["--cap-drop", "CAP_CHOWN"], "chown", "1", "/tmp").all, /Operation not permitted/);
    assert.match(expect(run(["--privileged"], "grep", "CapEff", "/proc/self/status")).out, /CapEff:\s+0*1ff/);
    assert.match(expect(run(["--net-host"], "ip", "link")).out, /lo.*UP/);
  });

  test("containerd: run with the default seccomp profile", () => {
    const seccomp = (...command: readonly string[]): string => expect(run(["--seccomp"], ...command)).out;
    assert.match(seccomp("grep", "Seccomp:", "/proc/self/status"), /Seccomp:\s+2/);
    const denied = run(["--seccomp"], "unshare", "-U", "true");
    assert.match(denied.all, /Operation not permitted/);
  });

  test("containerd: run in a user namespace", () => {
    const map = ["--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"];
    const outcome = expect(run(map, "sh", "-c", "id -u; cat /proc/self/uid_map"));
    assert.match(outcome.out, /^0\n\s+0\s+100000\s+65536$/);
  });

  test("containerd: exec in a task, with a terminal too, and its exit codes", () => {
    const id = detached([], "sleep", "1000");
    assert.equal(expect(exec(id, "sh", "-c", "hostname > /dev/null; echo in; exit 3"), 3).out, "in");
    assert.match(exec(id, "/nothing").all, /no such file or directory/);
    assert.match(exec(id, "nothing").all, /executable file not found/);
    const typed = sandbox.typed(
      CTR,
      ctrArguments("tasks", "exec", "--tty", "--exec-id", "tty", id, "sh", "-c", "tty; read a; echo got:$a; exit 4"),
      "word\n",
    );
    assert.match(typed.out, /\/dev\/pts\/0[\s\S]*got:word/);
    assert.equal(typed.code, 4);
    const nobody = expect(
      ctr("tasks", "exec", "--user", "65534:65534", "--cwd", "/tmp", "--exec-id", "user", id, "sh", "-c", "id -u; pwd"),
    );
    assert.equal(nobody.out, "65534\n/tmp");
    remove(id);
  });

  test("containerd: an exec that is detached is seen by ps and ends with the task", () => {
    const id = detached([], "sleep", "1000");
    expect(ctr("tasks", "exec", "--detach", "--exec-id", "more", id, "sleep", "2000"));
    const pids = expect(ctr("tasks", "ps", id))
      .out.split("\n")
      .slice(1);
    assert.equal(pids.length, 2, pids.join("\n"));
    const mine = pids.map((line) => line.trim().split(/\s+/)[0] ?? "");
    assert.match(sandbox.run("cat", [`/proc/${mine[1]}/cmdline`]).out, /2000/);
    remove(id);
    until("both have ended", () => mine.every((pid) => sandbox.run("test", ["-d", `/proc/${pid}`]).code !== 0));
  });

  test("containerd: pause and resume", () => {
    const id = detached([], "sleep", "1000");
    expect(ctr("tasks", "pause", id));
    assert.equal(status(id), "PAUSED");
    assert.match(exec(id, "true").all, /cannot exec in a paused/);
    expect(ctr("tasks", "resume", id));
    assert.equal(status(id), "RUNNING");
    expect(exec(id, "true"));
    // A paused task can be killed.
    expect(ctr("tasks", "pause", id));
    remove(id);
  });

  test("containerd: metrics are those of the container's cgroup", (context) => {
    const strange = strangeControllers(sandbox);
    if (strange !== "") return context.skip(`another mount namespace has mounted ${strange}: containerd gives up`);
    const id = detached(["--memory-limit", "67108864"], "sleep", "1000");
    const metrics = expect(ctr("tasks", "metrics", id)).out;
    assert.match(metrics, /(memory.limit_in_bytes|memory.usage_limit)\s+67108864/);
    assert.match(metrics, /pids.current\s+1/);
    remove(id);
  });

  test("containerd: kill with a signal that the program handles, and a second kill", () => {
    const id = detached([], "sh", "-c", 'trap "exit 9" USR1; echo; while :; do sleep 0.05; done');
    until("the trap is set", () => {
      ctr("tasks", "kill", "--signal", "SIGUSR1", id);
      return status(id) === "STOPPED";
    });
    assert.match(ctr("tasks", "kill", "--signal", "SIGKILL", id).all, /not found|already finished|^$/);
    const deleted = ctr("tasks", "delete", id);
    assert.match(deleted.all, /non-zero exit code (9|138)/);
    expect(ctr("containers", "delete", id));
  });

  test("containerd: a container that shares another's network and process namespaces", () => {
    const id = detached([], "sleep", "1000");
    const pid =
      expect(ctr("tasks", "ps", id))
        .out.split("\n")[1]
        ?.trim()
        .split(/\s+/)[0] ?? "";
    const shared = ["--with-ns", `network:/proc/${pid}/ns/net`, "--with-ns", `pid:/proc/${pid}/ns/pid`];
    const outcome = expect(run(shared, "sh", "-c", "readlink /proc/self/ns/net; ps"));
    assert.match(outcome.out, /sleep 1000/);
    assert.equal(outcome.out.split("\n")[0], sandbox.run("readlink", [`/proc/${pid}/ns/net`]).out);
    // The end of the second leaves the first alone, though the cgroup of the second is cleared.
    assert.equal(status(id), "RUNNING");
    remove(id);
  });

  test("containerd: a shim that was killed is cleaned up after", () => {
    const id = detached([], "sleep", "1000");
    const pid =
      expect(ctr("tasks", "ps", id))
        .out.split("\n")[1]
        ?.trim()
        .split(/\s+/)[0] ?? "";
    const parent = sandbox.run("sh", ["-c", `awk '/^PPid/{print $2}' /proc/${pid}/status`]).out;
    expect(sandbox.run("kill", ["-9", parent]));
    until("its container has ended", () => sandbox.run("test", ["-d", `/proc/${pid}`]).code !== 0);
    until("containerd has forgotten the task", () => ["none", "STOPPED"].includes(status(id)));
    ctr("tasks", "delete", id);
    expect(ctr("containers", "delete", id));
  });

  test("containerd: checkpoint", { skip: noCriu }, () => {
    const id = detached([], "sh", "-c", COUNTER);
    const images = sandbox.path("checkpoint");
    expect(ctr("tasks", "checkpoint", "--image-path", images, id));
    assert.ok(existsSync(join(images, "inventory.img")));
    remove(id);
  });

  test("containerd: checkpoint as an image, and restore from it", { skip: noCriu }, () => {
    const id = detached([], "sh", "-c", COUNTER);
    const counted = (): number => Number(exec(id, "cat", "/dev/shm/count").out);
    until("it has counted", () => counted() > 3);
    const image = "example.org/checkpoint:1";
    expect(ctr("containers", "checkpoint", "--image", "--task", id, image));
    remove(id);
    expect(ctr("containers", "restore", "--live", id, image));
    until("it runs again", () => status(id) === "RUNNING");
    const then = counted();
    assert.ok(then > 3, `it began anew: ${then}`);
    until("it goes on", () => counted() > then);
    remove(id);
    expect(ctr("images", "remove", image));
  });

  test("containerd: nothing is left", () => {
    assert.equal(expect(ctr("tasks", "list", "--quiet")).out, "");
    const left = sandbox.run("sh", ["-c", `ls -d /sys/fs/cgroup/*/${sandbox.cgroup}/*/ 2>/dev/null`]).out;
    assert.equal(left, "");
    assert.equal(sandbox.run("ls", [`/run/containerd/runc/${sandbox.cgroup}`]).out, "");
    assert.doesNotMatch(sandbox.run("cat", ["/proc/mounts"]).out, /io.containerd.runtime.v2.task/);
  });
});
