// teu copy from and to a real dockerd: what it has we read, what we load it runs. Needs root.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { CliHost, UNABLE } from "./cli-harness.ts";
import { callDocker, DOCKER_PROGRAMS, dockerAddress, startDocker } from "./dropin-docker.ts";
import { obstacle, Sandbox } from "./dropin-harness.ts";

const IMAGE = "example.org/busybox:1";
let sandbox: Sandbox;
let host: CliHost;

function docker(...args: readonly string[]): string {
  const { code, out, all } = callDocker(sandbox, args);
  assert.equal(code, 0, all);
  return out;
}

/** With dockerd's socket as DOCKER_HOST. */
async function teu(...args: readonly string[]): Promise<string> {
  const outcome = await host.teu(args, { env: { DOCKER_HOST: dockerAddress(sandbox) } });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome.stdout.trim();
}

describe("docker-daemon:", { skip: UNABLE ?? obstacle(...DOCKER_PROGRAMS) }, () => {
  before(async () => {
    sandbox = new Sandbox();
    startDocker(sandbox, IMAGE);
    host = await CliHost.open();
  });
  after(async () => {
    await host[Symbol.asyncDispose]();
    sandbox[Symbol.dispose]();
  });

  test("an image of dockerd, by name and by id, runs here", async () => {
    await teu("copy", "-q", `docker-daemon:${IMAGE}`, "containers:from-docker");
    assert.equal(await host.ok(["run", "--rm", "--network", "none", "from-docker", "echo", "hi"]), "hi");
    const id = docker("image", "inspect", "--format", "{{.Id}}", IMAGE);
    assert.equal(await host.ok(["inspect", "--type", "image", "-f", "{{.Id}}", "from-docker"]), id);
    await teu("copy", "-q", `docker-daemon:${id}`, `oci:${host.directory}/by-id:v1`);
  });

  test("an image of ours is loaded, keeps its id, and runs there", async () => {
    await teu("copy", "-q", "containers:base", "docker-daemon:example.org/from-teu:v1");
    assert.equal(docker("run", "--rm", "--network", "none", "example.org/from-teu:v1", "echo", "there"), "there");
    assert.equal(
      docker("image", "inspect", "--format", "{{.Id}}", "example.org/from-teu:v1"),
      await host.ok(["inspect", "--type", "image", "-f", "{{.Id}}", "base"]),
    );
    const flags = ["--dest-daemon-host", dockerAddress(sandbox), "--format", "json"];
    const said = JSON.parse(await host.ok(["copy", ...flags, "containers:base", "docker-daemon:again:v2"])) as object;
    assert.deepEqual((said as { destination: string }).destination, "docker-daemon:again:v2");
    assert.match(docker("images", "--format", "{{.Repository}}:{{.Tag}}"), /^again:v2$/m);
  });

  test("what dockerd does not have, and what it cannot be told, is an error", async () => {
    const env = { DOCKER_HOST: dockerAddress(sandbox) };
    const absent = await host.teu(["copy", "docker-daemon:absent:v1", `oci:${host.directory}/never:v1`], { env });
    assert.equal(absent.code, 1);
    assert.match(absent.stderr, /absent:v1/);
    const referrers = await host.teu(["copy", "--referrers", "containers:base", "docker-daemon:x:v1"], { env });
    assert.match(referrers.stderr, /single images only/);
  });
});
