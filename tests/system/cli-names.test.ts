// Which name is meant, and which is shown: pull of images with several names, lists by pattern, names by digest, platforms that a
// name does not stand for; and users' names at registries that show something to everybody.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Registry } from "@teu/registry/registry";

import { CliHost, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
let host: CliHost;
let registry: Registry;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  registry = await Registry.listen();
  await host.ok(["copy", "-q", "containers:base", `${registry.address}/z/app:v1`]);
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

const NAMES = ["images", "--format", "{{.Repository}}:{{.Tag}}"];

test("pull: shows the name that was pulled, whatever else the image is called", { skip }, async () => {
  const conf = join(host.directory, "registries.conf");
  writeFileSync(conf, `unqualified-search-registries = ["${registry.address}"]\n`);
  const env = { CONTAINERS_REGISTRIES_CONF: conf };
  await host.ok(["tag", "base", "another/name:v1"]);
  const name = `${registry.address}/z/app:v1`;
  const short = await host.teu(["pull", "-q", "z/app:v1"], { env });
  assert.equal(short.stdout, `${name}\n`, short.stderr);
  assert.equal(await host.ok(["pull", "-q", name]), name);
  await host.ok(["rmi", "another/name:v1", name]);
});

test(
  "rmi NAME@DIGEST: takes that name away, not the tag; images --digests shows what has no tag",
  { skip },
  async () => {
    const repository = `${registry.address}/z/app`;
    const digest = await host.ok(["digest", `${repository}:v1`]);
    await host.ok(["pull", "-q", `${repository}:v1`]);
    assert.equal(await host.ok(["rmi", `${repository}@${digest}`]), `Untagged: ${repository}@${digest}`);
    assert.equal(await host.ok([...NAMES, repository]), `${repository}:v1`);
    const again = await host.teu(["rmi", `${repository}@${digest}`]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /by its tag, .*z\/app:v1/);
    await host.ok(["rmi", `${repository}:v1`]);

    await host.ok(["pull", "-q", `${repository}@${digest}`]);
    const list = ["images", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}", repository];
    assert.equal(await host.ok(list), `${repository} <none> ${digest}`);
    assert.equal(await host.ok([...NAMES, repository]), `${repository}:<none>`);
    await host.ok(["rmi", `${repository}@${digest}`]);
  },
);

test("images PATTERN, --filter reference=: only names that fit", { skip }, async () => {
  for (const name of ["hello", "hello:v2", "helloworld", "team/hello:v1"]) await host.ok(["tag", "base", name]);
  const shown = async (...args: string[]): Promise<string[]> =>
    (await host.ok([...NAMES, ...args]))
      .split("\n")
      .filter((line) => line !== "")
      .sort();
  for (const flag of [false, true]) {
    const by = async (pattern: string): Promise<string[]> =>
      shown(...(flag ? ["--filter", `reference=${pattern}`] : [pattern]));
    assert.deepEqual(await by("hello*"), ["hello:latest", "hello:v2", "helloworld:latest"]);
    assert.deepEqual(await by("*/hello"), ["team/hello:v1"]);
    assert.deepEqual(await by("hello:*"), ["hello:latest", "hello:v2"]);
    assert.deepEqual(await by("hello:v2"), ["hello:v2"]);
    assert.deepEqual(await by("nothing*"), []);
  }
  assert.deepEqual(await shown("--filter", "reference=hello:v2", "--filter", "reference=*/hello"), [
    "hello:v2",
    "team/hello:v1",
  ]);
  await host.ok(["rmi", "hello", "hello:v2", "helloworld", "team/hello:v1"]);
});

test("pull --platform: says so when the name stands for one image of another platform", { skip }, async () => {
  const name = `${registry.address}/z/app:v1`;
  const pulled = await host.teu(["pull", "-q", "--platform", "linux/s390x", name]);
  assert.equal(pulled.code, 0, pulled.stderr);
  assert.match(pulled.stderr, /was found but its platform \(linux\/\w+\) does not match .* \(linux\/s390x\)/);
  const run = await host.teu(["run", "--rm", "--network", "none", "--platform", "linux/s390x", name, "true"]);
  assert.equal(run.code, 125);
  assert.match(run.stderr, /not for linux\/s390x\nhint: the name stands for one image/);
  assert.equal((await host.teu(["pull", "-q", name])).stderr, "");
  await host.ok(["rmi", name]);
});

test("copy --digestfile: a place that cannot be written is told before anything is copied", { skip }, async () => {
  const file = join(host.directory, "absent", "digest");
  const failed = await host.teu(["copy", "--digestfile", file, "containers:base", `${registry.address}/never:v1`]);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /^teu: cannot write digest ".*absent\/digest"/);
  assert.equal((await host.teu(["digest", `${registry.address}/never:v1`])).code, 1);
  const good = join(host.directory, "digest");
  const digest = await host.ok(["copy", "-q", "--digestfile", good, "containers:base", `${registry.address}/never:v1`]);
  assert.ok(existsSync(good));
  assert.equal(readFileSync(good, "utf8"), digest);
});

test("errors: objects with --format json, hints that lead somewhere", { skip }, async () => {
  const absent = `${registry.address}/absent:v1`;
  for (const args of [
    ["copy", "--format", "json", absent, "oci:x"],
    ["ls", "--format", "json", absent.slice(0, -3)],
    ["digest", "--format", "json", absent],
  ]) {
    const failed = await host.teu(args);
    assert.deepEqual([failed.code, failed.stdout], [1, ""], failed.stderr);
    assert.equal((JSON.parse(failed.stderr) as { code: string }).code, "not-found");
  }
  assert.match(
    (await host.teu(["digest", absent])).stderr,
    /manifest unknown\nhint: see what there is: `teu ls .*\/absent`/,
  );
});

test("artifact push and pull: nothing is not an artifact, and an image is not one", { skip }, async () => {
  const nothing = await host.teu(["artifact", "push", `${registry.address}/nothing:v1`]);
  assert.equal(nothing.code, 125);
  assert.match(nothing.stderr, /nothing to push/);
  const directory = join(host.directory, "files");
  const image = await host.teu(["artifact", "pull", "-o", directory, `${registry.address}/z/app:v1`]);
  assert.equal(image.code, 1);
  assert.match(image.stderr, /none of its layers has a file name\nhint: images are for `teu pull`/);
  assert.equal(existsSync(directory), false);
  await host.ok(["artifact", "push", "--artifact-type", "text/x", `${registry.address}/art:v1`]);
  assert.match((await host.teu(["pull", `${registry.address}/art:v1`])).stderr, /hint: `teu artifact pull`/);
});

test("logout where nobody is logged in is no failure", { skip }, async () => {
  assert.equal(await host.ok(["logout", registry.address]), `Not logged in to ${registry.address}`);
});
