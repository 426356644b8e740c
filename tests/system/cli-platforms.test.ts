// Images for several platforms on one host: which one a command takes, and what happens when it is not here.
// Every image holds this host's busybox and its own name, so that all of them run and say which they are.

import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { hostPlatform } from "@teu/image/platform";
import { Registry } from "@teu/registry/registry";

import { CliHost, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
/** This host's architecture first. */
const ARCHITECTURES = [hostPlatform().architecture, hostPlatform().architecture === "s390x" ? "riscv64" : "s390x"];
const [own = "", other = ""] = ARCHITECTURES;
let host: CliHost;
let registry: Registry;
let list: string;

before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  registry = await Registry.listen();
  list = `${registry.address}/platforms/both:v1`;
  for (const architecture of ARCHITECTURES) {
    const context = host.context(architecture, {
      Dockerfile: "FROM scratch\nCOPY busybox /bin/\nCOPY name /name\n",
      name: `${architecture}\n`,
    });
    copyFileSync("/bin/busybox", join(context, "busybox"));
    const platform = ["--platform", `linux/${architecture}`];
    const name = `${registry.address}/platforms/one:${architecture}`;
    await host.ok(["build", "-q", ...platform, "-t", name, context]);
    await host.ok(["push", "-q", name]);
    await host.ok(["rmi", name]);
  }
  const members = ARCHITECTURES.map((architecture) => `${registry.address}/platforms/one:${architecture}`);
  await host.ok(["manifest", "create", list, ...members]);
  await host.ok(["manifest", "push", list]);
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

/** Arguments that make an image say its name. */
const says = (...flags: readonly string[]): string[] => [
  ...["run", "--rm", "-q", "--network", "none", ...flags],
  ...[list, "/bin/busybox", "cat", "/name"],
];

test(
  "run --platform: pulls what is here for another platform only, or refuses with --pull=never",
  { skip },
  async () => {
    await host.ok(["pull", "-q", list]);
    assert.equal(await host.ok(says()), own);
    const never = await host.teu(says("--platform", `linux/${other}`, "--pull", "never"));
    assert.equal(never.code, 125);
    assert.match(never.stderr, new RegExp(`it is here for linux/${own}, not for linux/${other}`));
    const pulled = await host.teu(says("--platform", `linux/${other}`));
    assert.equal(pulled.stdout, `${other}\n`, pulled.stderr);
    assert.equal(await host.ok(says("--platform", `linux/${own}`)), own);
    const nowhere = await host.teu(says("--platform", "linux/mips64le"));
    assert.equal(nowhere.code, 125);
    assert.match(nowhere.stderr, /no manifest for linux\/mips64le/);
  },
);

test("pull of several platforms: listed, run, pushed whole, and removed together", { skip }, async () => {
  await host.teu(["rmi", "-f", list]);
  await host.ok(["pull", "-q", "--platform", `linux/${own}`, "--platform", `linux/${other}`, list]);
  for (const architecture of ARCHITECTURES)
    assert.equal(await host.ok(says("--pull", "never", "--platform", `linux/${architecture}`)), architecture);
  assert.equal(await host.ok(says("--pull", "never")), own);
  const rows = (await host.ok(["images", "--format", "{{.Repository}}:{{.Tag}} {{.Platform}}"])).split("\n");
  assert.deepEqual(
    rows.filter((row) => row.startsWith(`${list} `)).toSorted(),
    ARCHITECTURES.map((architecture) => `${list} linux/${architecture}`).toSorted(),
  );
  assert.match(await host.ok(["images"]), /PLATFORM/);
  // The whole index is here: its digest stays, under another name too, and prune leaves it.
  const again = `${registry.address}/platforms/again:v1`;
  await host.ok(["tag", list, again]);
  await host.ok(["system", "prune", "-f"]);
  await host.ok(["push", "-q", again]);
  assert.equal(await host.ok(["digest", again]), await host.ok(["digest", list]));
  await host.ok(["rmi", again]);
  assert.equal(await host.ok(says("--pull", "never", "--platform", `linux/${other}`)), other);
  // One image alone can go; the name stays with the other.
  const [id = ""] = (await host.ok(["images", "--no-trunc", "--format", "{{.ID}} {{.Platform}}", list]))
    .split("\n")
    .filter((row) => row.endsWith(`/${own}`))
    .map((row) => row.split(" ")[0] ?? "");
  await host.ok(["rmi", id]);
  assert.match((await host.teu(says("--pull", "never"))).stderr, new RegExp(`is for linux/${other}, this host is`));
  await host.ok(["pull", "-q", list]);
  assert.equal(await host.ok(says("--pull", "never")), own);
  await host.ok(["rmi", list]);
  assert.doesNotMatch(await host.ok(["images", "-a"]), /platforms\/both/);
  assert.equal((await host.teu(["inspect", "--type", "image", id])).code, 1);
});

test("pull --all-platforms, and copies with --all, keep what else is in an index", { skip }, async () => {
  await host.ok(["pull", "-q", "--all-platforms", list]);
  const whole = `${registry.address}/platforms/whole:v1`;
  await host.ok(["tag", list, whole]);
  await host.ok(["rmi", list]);
  await host.ok(["system", "prune", "-f"]);
  await host.ok(["push", "-q", whole]);
  assert.equal(await host.ok(["digest", whole]), await host.ok(["digest", list]));
  await host.ok(["rmi", whole]);
  await host.ok(["copy", "-q", "--all", list, `containers:${whole}`]);
  const says = ["run", "--rm", "--network", "none", "--pull", "never", "--platform", `linux/${other}`];
  assert.equal(await host.ok([...says, whole, "/bin/busybox", "cat", "/name"]), other);
  const both = await host.teu(["pull", "--all-platforms", "--platform", "linux/amd64", list]);
  assert.equal(both.code, 125);
  assert.match(both.stderr, /exclude each other/);
});
