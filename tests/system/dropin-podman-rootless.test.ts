// The runtime under podman of an unprivileged user with subordinate ids. Needs root, to become that user.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { obstacle, until } from "./dropin-harness.ts";
import { IMAGE, PODMAN, Podman, UID, expect } from "./dropin-podman.ts";

describe("podman, rootless", { skip: obstacle(PODMAN, "/usr/bin/conmon", "/usr/bin/newuidmap") }, () => {
  let podman: Podman;
  before(() => void (podman = new Podman(true)));
  after(() => podman[Symbol.dispose]());

  test("podman, rootless: root inside is the user outside, with its subordinate ids", () => {
    const { out } = expect(podman.box([], "sh", "-c", "id -u; cat /proc/self/uid_map; touch /here && echo made"));
    assert.match(out, new RegExp(`^0\\n\\s+0\\s+${UID}\\s+1\\n\\s+1\\s+200000\\s+65536\\nmade$`));
    assert.equal(podman.shell(["--user", "1000:1000"], "id -u; id -g"), "1000\n1000");
    expect(podman.box([], "sh", "-c", "exit 7"), 7);
    expect(podman.box([], "nothing"), 127);
    expect(podman.box([], "/etc"), 126);
  });

  test("podman, rootless: keep-id, volumes, privileged, seccomp", () => {
    const volume = join(podman.sandbox.directory, "home/volume");
    expect(podman.run("unshare", "mkdir", volume));
    const flags = ["--userns", "keep-id", "--volume", `${volume}:/v`];
    assert.equal(podman.shell(flags, "id -u; touch /v/x && stat -c %u /v/x"), `${UID}\n${UID}`);
    assert.ok(existsSync(join(volume, "x")));
    assert.match(podman.shell(["--privileged"], "mkdir /m && mount -t tmpfs t /m && echo mounted"), /mounted/);
    assert.match(podman.shell([], "cat /proc/self/status"), /Seccomp:\s+2/);
  });

  test("podman, rootless: a container in the background, exec, stop, terminal", () => {
    const name = podman.detached([], "sh", "-c", 'trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done');
    until("the trap is set", () => podman.ok("logs", name).includes("ready"));
    expect(podman.run("exec", name, "sh", "-c", "exit 4"), 4);
    expect(podman.run("exec", name, "nothing"), 127);
    const [command = "", ...args] = podman.command([
      ...["exec", "--interactive", "--tty", name, "sh", "-c", "tty; read a; echo got:$a; exit 5"],
    ]);
    const typed = podman.sandbox.typed(command, args, "word\n");
    assert.match(typed.out, /\/dev\/pts\/0[\s\S]*got:word/);
    assert.equal(typed.code, 5);
    podman.ok("stop", "--time", "20", name);
    assert.equal(podman.inspect(name, "{{.State.ExitCode}}"), "3");
    podman.ok("start", name);
    podman.ok("rm", "--force", "--time", "0", name);
  });

  test("podman, rootless: a pod", () => {
    podman.ok(
      "pod",
      "create",
      "--name",
      "pod",
      ...podman.flags,
      "--infra-image",
      IMAGE,
      "--infra-command",
      "sleep 1000",
    );
    const id = podman.ok("run", "--detach", "--pod", "pod", IMAGE, "sleep", "2000");
    expect(podman.run("exec", id, "true"));
    podman.ok("pod", "rm", "--force", "--time", "0", "pod");
    assert.equal(podman.ok("ps", "--all", "--quiet"), "");
  });
});
