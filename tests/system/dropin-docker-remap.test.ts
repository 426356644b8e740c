// The runtime under a dockerd that maps root of its containers to nobody of the host (--userns-remap). Needs root.

import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { DOCKER_PROGRAMS, callDocker, startDocker } from "./dropin-docker.ts";
import { obstacle, type Outcome, Sandbox, until } from "./dropin-harness.ts";

const IMAGE = "example.org/busybox:1";

let sandbox: Sandbox;

function docker(...args: readonly string[]): Outcome {
  const outcome = callDocker(sandbox, args);
  assert.equal(outcome.code, 0, outcome.all);
  return outcome;
}

function shell(flags: readonly string[], script: string): string {
  return docker("run", "--rm", ...flags, IMAGE, "sh", "-c", script).out;
}

describe("docker --userns-remap", { skip: obstacle(...DOCKER_PROGRAMS) }, () => {
  before(() => {
    sandbox = new Sandbox();
    sandbox.addAccount("dockremap", 4322, "/");
    startDocker(sandbox, IMAGE, ["--userns-remap", "dockremap"]);
  });
  after(() => sandbox[Symbol.dispose]());

  test("docker --userns-remap: root inside is a subordinate id outside", () => {
    const volume = sandbox.path("volume");
    chmodSync(volume, 0o777);
    const text = shell(["--volume", `${volume}:/v`], "id -u; cat /proc/self/uid_map; touch /v/x /x; stat -c %u /v/x");
    assert.match(text, /^0\n\s+0\s+200000\s+65536\n0$/);
    assert.equal(sandbox.run("stat", ["--format", "%u", `${volume}/x`]).out, "200000");
    assert.equal(shell(["--userns", "host"], "cat /proc/self/uid_map").replace(/\s+/g, " ").trim(), "0 0 4294967295");
  });

  test("docker --userns-remap: devices, terminals, limits, exec, tmpfs, no right over the host", () => {
    const flags = ["--memory", "64m", "--pids-limit", "20", "--tmpfs", "/scratch", "--device", "/dev/fuse"];
    const script = "test -c /dev/fuse && echo > /dev/null && touch /scratch/x && echo well";
    assert.equal(shell(flags, script), "well");
    assert.match(
      callDocker(sandbox, ["run", "--rm", IMAGE, "mknod", "/x", "c", "1", "3"]).all,
      /Operation not permitted/,
    );
    docker("run", "--detach", "--name", "box", "--tty", IMAGE, "sh", "-c", "tty; sleep 1000");
    until("the terminal is named", () => /\/dev\/(console|pts\/0)/.test(docker("logs", "box").out));
    assert.equal(docker("exec", "box", "id", "-u").out, "0");
    assert.match(docker("exec", "box", "cat", "/proc/self/uid_map").out, /200000/);
    docker("pause", "box");
    docker("unpause", "box");
    docker("rm", "--force", "box");
  });

  test("docker --userns-remap: nothing is left", () => {
    assert.equal(sandbox.run("sh", ["-c", `ls -d /sys/fs/cgroup/*/${sandbox.cgroup}/*/ 2>/dev/null`]).out, "");
    assert.doesNotMatch(sandbox.run("cat", ["/proc/mounts"]).out, /overlay2\/.*\/merged/);
  });
});
