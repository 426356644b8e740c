// The runtime under buildah: build steps run with it. Needs root.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { busyboxArchive, obstacle, type Outcome, RUNTIME, Sandbox } from "./dropin-harness.ts";

const BUILDAH = "/usr/bin/buildah";

let sandbox: Sandbox;

function buildah(...args: readonly string[]): Outcome {
  const { directory } = sandbox;
  const places = ["--root", join(directory, "storage"), "--runroot", join(directory, "runroot")];
  return sandbox.run(BUILDAH, [...places, "--storage-driver", "overlay", ...args], {
    env: {
      CONTAINERS_CONF: join(directory, "containers.conf"),
      CONTAINERS_STORAGE_CONF: join(directory, "storage.conf"),
    },
  });
}

/** What it prints; it must work. */
function ok(...args: readonly string[]): string {
  return expect(buildah(...args)).out;
}

/** `buildah run` with our runtime. */
function run(container: string, flags: readonly string[], ...command: readonly string[]): Outcome {
  const limits = ["--isolation", "oci", "--network", "none"];
  return buildah("run", "--runtime", RUNTIME, ...limits, ...flags, container, "--", ...command);
}

function expect(outcome: Outcome, code = 0): Outcome {
  assert.equal(outcome.code, code, outcome.all);
  return outcome;
}

describe("buildah", { skip: obstacle(BUILDAH) }, () => {
  before(() => {
    sandbox = new Sandbox();
    const { directory } = sandbox;
    writeFileSync(join(directory, "containers.conf"), '[engine]\ncgroup_manager = "cgroupfs"\n');
    writeFileSync(
      join(directory, "storage.conf"),
      `[storage]\ndriver = "overlay"\nrunroot = "${directory}/runroot"\ngraphroot = "${directory}/storage"\n`,
    );
  });
  after(() => sandbox[Symbol.dispose]());

  test("buildah: from scratch, copy, run, commit", () => {
    const container = ok("from", "scratch");
    ok("copy", container, "/bin/busybox", "/bin/busybox");
    assert.equal(expect(run(container, [], "/bin/busybox", "echo", "hello")).out, "hello");
    expect(run(container, [], "/bin/busybox", "ln", "-s", "/bin/busybox", "/bin/sh"));
    expect(run(container, [], "sh", "-c", "exit 7"), 7);
    const script = "busybox mkdir -p /data; echo made > /data/file; busybox id -u";
    assert.equal(
      expect(run(container, ["--user", "0:0"], "/bin/sh", "-c", script.replaceAll("busybox", "/bin/busybox"))).out,
      "0",
    );
    const image = ok("commit", "--quiet", container, "example.org/made:1");
    assert.match(image, /[0-9a-f]{64}/);
    const again = ok("from", "example.org/made:1");
    assert.equal(expect(run(again, [], "/bin/busybox", "cat", "/data/file")).out, "made");
    ok("rm", container, again);
  });

  test("buildah: run with user, environment, mounts, capabilities, terminal", () => {
    const archive = busyboxArchive(sandbox.directory, "example.org/busybox:1");
    const container = ok("from", `docker-archive:${archive}`);
    assert.equal(
      expect(run(container, ["--user", "nobody", "--env", "WORD=x y"], "sh", "-c", 'id -u; echo "$WORD"')).out,
      "65534\nx y",
    );
    const volume = sandbox.path("volume");
    expect(run(container, ["--volume", `${volume}:/v`], "touch", "/v/x"));
    assert.match(run(container, ["--volume", `${volume}:/v:ro`], "touch", "/v/y").all, /Read-only file system/);
    assert.match(run(container, ["--cap-drop", "CAP_CHOWN"], "chown", "1", "/tmp").all, /Operation not permitted/);
    assert.match(expect(run(container, [], "cat", "/proc/self/status")).out, /Seccomp:\s+2/);
    assert.match(expect(run(container, ["--terminal"], "tty")).out, /\/dev\/(pts\/0|console)/);
    assert.match(
      run(container, [], "nothing").all,
      /executable file.*nothing.*not found|"nothing\\?": executable file not found/,
    );
    ok("rm", container);
  });

  test("buildah: build runs every step of a Dockerfile", () => {
    const context = sandbox.path("context");
    const lines = ["FROM example.org/busybox:1", "RUN echo one > /one", "RUN test -e /one && echo two > /two"];
    writeFileSync(join(context, "Dockerfile"), `${lines.join("\n")}\n`);
    const flags = ["--runtime", RUNTIME, "--isolation", "oci", "--network", "none", "--memory", "64m"];
    ok("build", ...flags, "--cgroup-parent", `/${sandbox.cgroup}`, "--tag", "example.org/built:1", context);
    const container = ok("from", "example.org/built:1");
    assert.equal(expect(run(container, [], "cat", "/one", "/two")).out, "one\ntwo");
    ok("rm", container);
    writeFileSync(join(context, "Dockerfile"), "FROM example.org/busybox:1\nRUN exit 9\n");
    const failed = buildah("build", ...flags, "--cgroup-parent", `/${sandbox.cgroup}`, context);
    assert.notEqual(failed.code, 0);
    assert.match(failed.all, /exit status 9/);
  });

  test("buildah: nothing is left", () => {
    assert.doesNotMatch(sandbox.run("cat", ["/proc/mounts"]).out, /overlay\/.*\/merged/);
    assert.equal(sandbox.run("sh", ["-c", `ls -d /sys/fs/cgroup/*/${sandbox.cgroup}/*/ 2>/dev/null`]).out, "");
    assert.doesNotMatch(sandbox.run("sh", ["-c", "cat /proc/[0-9]*/comm"]).out, /busybox|buildah|^sh$/);
  });
});
