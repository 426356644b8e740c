// What killed commands and full disks leave, and that the next command of anybody takes it away.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { CliHost, isAlive, UNABLE } from "./cli-harness.ts";
import { EngineHost, UNABLE as UNABLE_ENGINE } from "./engine-harness.ts";

test("abandoned: a build that was killed leaves nothing after the next command", { skip: UNABLE }, async () => {
  await using host = await CliHost.open();
  const context = host.context("slow", { Dockerfile: "FROM base\nRUN echo be''gun; sleep 300\n" });
  const build = host.start(["build", "--progress=plain", "--network", "none", context]);
  // The step's output, not its command, which is shown before it runs.
  await build.says("begun");
  const [row = ""] = (await host.ok(["ps", "--no-trunc", "--format", "{{.ID}}"])).split("\n");
  assert.match(row, /^[0-9a-f]{64}$/, "another command leaves a living build alone");
  const pid = Number(await host.ok(["inspect", "-f", "{{.State.Pid}}", row]));
  build.child.kill("SIGKILL");
  await build.ended;
  assert.ok(isAlive(pid), "the step survives its build, which is why somebody must look after it");
  assert.equal(await host.ok(["ps", "-aq"]), "");
  assert.equal(isAlive(pid), false);
  for (const place of ["run/containers", "run/locks", "root/containers", "root/snapshots/workspaces", "root/tmp"])
    assert.deepEqual(readdirSync(join(host.directory, place)), [], place);
});

test(
  "abandoned: of what a dead process created and never started only the owned goes",
  { skip: UNABLE_ENGINE },
  async () => {
    await using host = await EngineHost.open();
    await host.busybox();
    const { root, runroot } = host.options;
    const program = `
    import { createScope } from "@teu/base/scope";
    import { Engine } from "@teu/engine/engine";
    const scope = createScope({});
    const engine = await Engine.open(scope, ${JSON.stringify({ root, runroot })});
    for (const options of [{ name: "run", autoRemove: true, owned: true }, { name: "step", owned: true }, { name: "create", autoRemove: true }, { name: "kept" }])
      await engine.containers.create(scope, { image: "busybox", network: "none", ...options });
    const names = (await engine.containers.list(scope, { all: true })).map(({ name }) => name).sort();
    process.stdout.write(names.join(" "));
    process.kill(process.pid, "SIGKILL");
  `;
    const args = ["--input-type=module", "--eval", program];
    const { stdout } = spawnSync(process.execPath, args, { cwd: import.meta.dirname, encoding: "utf8" });
    assert.equal(stdout, "create kept run step");
    const left = await host.engine.containers.list(host.scope, { all: true });
    assert.deepEqual(left.map(({ name }) => name).sort(), ["create", "kept"]);
    assert.equal(readdirSync(join(root, "snapshots/workspaces")).length, 2);
  },
);

test(
  "abandoned: a container that filled the disk has its exit code, and can be removed",
  { skip: UNABLE },
  async () => {
    await using host = await CliHost.open();
    const small = join(host.directory, "small");
    mkdirSync(small);
    const env = { TEU_ROOT: small };
    const archive = join(host.directory, "base.tar");
    await host.ok(["save", "-o", archive, "base"]);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "teu-test", small]);
    try {
      assert.equal((await host.teu(["load", "-q", "-i", archive], { env })).code, 0);
      const fill = ["run", "--name", "full", "--network", "none", "base", "sh", "-c", "cat /dev/zero > /big; exit 7"];
      assert.equal((await host.teu(fill, { env })).code, 7);
      const state = await host.teu(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "full"], { env });
      assert.equal(state.stdout, "exited 7\n", state.stderr);
      const removed = await host.teu(["rm", "full"], { env });
      assert.equal(removed.code, 0, removed.stderr);
      assert.equal((await host.teu(["ps", "-aq"], { env })).stdout, "");
      assert.equal((await host.teu(["run", "--rm", "--network", "none", "base", "true"], { env })).code, 0);
    } finally {
      execFileSync("umount", [small]);
    }
  },
);

test(
  "Containers: twenty at once, and with the last one goes the cgroup above them",
  { skip: UNABLE_ENGINE },
  async () => {
    await using host = await EngineHost.open();
    await host.busybox();
    const ids = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const ran = await host.run({ image: "busybox", network: "none", command: ["sh", "-c", `exit ${index}`] });
        assert.equal(ran.code, index);
        await host.engine.containers.remove(host.scope, ran.id);
        return ran.id;
      }),
    );
    // Other roots on this host may have containers now: then it is theirs.
    const left = (): string[] =>
      readdirSync("/sys/fs/cgroup", { withFileTypes: true })
        .map(({ name }) => join("/sys/fs/cgroup", name === "teu" ? "" : name, "teu"))
        .filter((directory) => existsSync(directory))
        .flatMap((directory) => {
          const children = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
          return children.length === 0
            ? [directory]
            : children.map(({ name }) => name).filter((name) => ids.includes(name));
        });
    for (let tries = 100; left().length > 0 && tries > 0; tries--)
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(left(), []);
  },
);
