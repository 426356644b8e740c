// crane and teu: what each pushes, saves and changes the other reads, digests equal; and crane's commands against `teu registry serve`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { digestOf } from "@teu/image/digest";

import { CliHost } from "./cli-harness.ts";
import { PASSWORD, PeerClient, serveRegistry, type ServedRegistry, unable, USER } from "./peer-clients.ts";

const skip = unable("crane");
let host: CliHost;
let crane: PeerClient;
let registry: ServedRegistry;
let name = "";
let digest = "";
let id = "";
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  crane = new PeerClient("crane", join(host.directory, "crane"));
  registry = await serveRegistry(host, "open");
  name = `${registry.address}/team/base:v1`;
  digest = await host.ok(["copy", "-q", "containers:base", `docker://${name}`]);
  id = await idOf("base");
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

const at = (part: string): string => join(host.directory, part);

function idOf(image: string): Promise<string> {
  return host.ok(["inspect", "--type", "image", "-f", "{{.Id}}", image]);
}

test("crane reads what teu pushed", { skip }, async () => {
  assert.equal(await crane.ok(["digest", name]), digest);
  assert.equal(digestOf(await crane.ok(["manifest", name])), digest);
  assert.equal(digestOf(await crane.ok(["config", name])), id);
  await crane.ok(["validate", "--remote", name]);
  assert.ok((await crane.ok(["catalog", registry.address])).split("\n").includes("team/base"));
  assert.deepEqual(await crane.ok(["ls", `${registry.address}/team/base`]), "v1");
  await crane.ok(["export", name, at("exported.tar")]);
  await host.ok(["import", at("exported.tar"), "from-crane-export"]);
  assert.equal(await run("from-crane-export"), "hi");
});

async function run(image: string): Promise<string> {
  return host.ok(["run", "--rm", "--network", "none", image, "/bin/echo", "hi"]);
}

test("teu reads what crane saves, in each of its formats", { skip }, async () => {
  for (const format of ["tarball", "legacy", "oci"]) {
    const target = at(`crane-${format}`);
    await crane.ok(["pull", "--format", format, "--annotate-ref", name, target]);
    const place = format === "oci" ? `oci:${target}` : `docker-archive:${target}`;
    const copied = `from-crane-${format}`;
    const found = await host.ok(["copy", "-q", place, `containers:${copied}`]);
    if (format === "oci") assert.equal(found, digest);
    assert.equal(await idOf(copied), id, format);
    assert.equal(await run(copied), "hi");
  }
  await host.ok(["rmi", "-f", "from-crane-tarball", "from-crane-legacy"]);
  assert.match(await host.ok(["load", "-i", at("crane-tarball")]), /team\/base:v1/);
});

test("crane pushes what teu saves", { skip }, async () => {
  const target = `${registry.address}/team/pushed:v1`;
  await host.ok(["copy", "-q", "containers:base", `oci:${at("layout")}:v1`]);
  await crane.ok(["push", at("layout"), target]);
  assert.equal(await host.ok(["digest", target]), digest);
  await host.ok(["save", "-o", at("saved.tar"), "base"]);
  await crane.ok(["validate", "--tarball", at("saved.tar")]);
  await crane.ok(["push", at("saved.tar"), `${target}-archive`]);
  assert.equal(digestOf(await crane.ok(["config", `${target}-archive`])), id);
  await host.ok(["copy", "-q", `docker://${target}-archive`, "containers:again"]);
  assert.equal(await idOf("again"), id);
});

test("crane copies, tags and deletes on our registry", { skip }, async () => {
  const copy = `${registry.address}/other/copy:v1`;
  await crane.ok(["copy", name, copy]);
  assert.equal(await host.ok(["digest", copy]), digest);
  await crane.ok(["tag", copy, "v2"]);
  assert.equal(await host.ok(["digest", `${registry.address}/other/copy:v2`]), digest);
  await crane.ok(["copy", "--all-tags", `${registry.address}/other/copy`, `${registry.address}/other/all`]);
  assert.deepEqual((await host.ok(["ls", `${registry.address}/other/all`])).split("\n"), ["v1", "v2"]);
  const manifest = JSON.parse(await crane.ok(["manifest", copy])) as { layers: { digest: string }[] };
  const layer = manifest.layers[0]?.digest ?? "";
  await crane.ok(["blob", `${registry.address}/other/copy@${layer}`]);
  await crane.ok(["delete", `${registry.address}/other/all:v2`]);
  assert.equal(await host.ok(["ls", `${registry.address}/other/all`]), "v1");
  await crane.ok(["delete", `${registry.address}/other/all@${digest}`]);
  assert.notEqual((await host.teu(["digest", `${registry.address}/other/all:v1`])).code, 0);
});

test("teu runs what crane changed: mutate, append, flatten, rebase", { skip }, async () => {
  const changed = (tag: string): string => `${registry.address}/changed/app:${tag}`;
  await crane.ok(["mutate", name, "-t", changed("mutated"), "--label", "a=b", "--env", "X=y", "--cmd", "/bin/env"]);
  await host.ok(["pull", "-q", changed("mutated")]);
  assert.match(await host.ok(["run", "--rm", "--network", "none", changed("mutated")]), /^X=y$/m);

  host.context("more", { file: "more" });
  const tar = at("layer.tar");
  execFileSync("tar", ["-C", at("more"), "-cf", tar, "file"]);
  await crane.ok(["append", "-b", name, "-f", tar, "-t", changed("appended")]);
  await host.ok(["pull", "-q", changed("appended")]);
  const cat = (tag: string): Promise<string> =>
    host.ok(["run", "--rm", "--network", "none", changed(tag), "/bin/cat", "/file"]);
  assert.equal(await cat("appended"), "more");

  await crane.ok(["flatten", changed("appended"), "-t", changed("flat")]);
  await host.ok(["pull", "-q", changed("flat")]);
  assert.equal(await cat("flat"), "more");

  await crane.ok([
    ...["rebase", changed("appended"), "--old_base", name, "--new_base", changed("mutated")],
    ...["-t", changed("rebased")],
  ]);
  await host.ok(["pull", "-q", changed("rebased")]);
  assert.equal(await cat("rebased"), "more");
});

test("crane reads what teu changed: mutate, append, flatten", { skip }, async () => {
  const changed = (tag: string): string => `${registry.address}/changed/ours:${tag}`;
  const from = `docker://${name}`;
  const to = (tag: string): readonly string[] => ["-t", `docker://${changed(tag)}`];
  await host.ok(["image", "mutate", "--label", "a=b", "--env", "X=y", ...to("mutated"), from]);
  const config = JSON.parse(await crane.ok(["config", changed("mutated")])) as { config: { Labels: object } };
  assert.deepEqual(config.config.Labels, { a: "b" });
  await crane.ok(["validate", "--remote", changed("mutated")]);
  host.context("added", { file: "added" });
  await host.ok(["image", "append", ...to("appended"), from, at("added")]);
  await host.ok(["image", "flatten", ...to("flat"), `docker://${changed("appended")}`]);
  for (const tag of ["appended", "flat"]) {
    await crane.ok(["validate", "--remote", changed(tag)]);
    await crane.ok(["export", changed(tag), at(`${tag}.tar`)]);
    assert.equal(execFileSync("tar", ["-xOf", at(`${tag}.tar`), "file"], { encoding: "utf8" }), "added", tag);
  }
});

test("indexes: crane makes one of our images, and reads ours", { skip }, async () => {
  const index = `${registry.address}/several/theirs:v1`;
  await crane.ok(["mutate", name, "-t", `${registry.address}/several/theirs:arm`, "--set-platform", "linux/arm64/v8"]);
  await crane.ok(["index", "append", "-m", name, "-m", `${registry.address}/several/theirs:arm`, "-t", index]);
  const whole = await crane.ok(["digest", index]);
  const layout = `oci:${at("index")}:v1`;
  assert.equal(await host.ok(["copy", "-q", "--all", `docker://${index}`, layout]), whole);
  assert.equal(
    await host.ok(["copy", "-q", `docker://${index}`, `oci:${at("one")}:v1`]),
    digest,
    "this host's platform",
  );
  const back = `${registry.address}/several/ours:v1`;
  assert.equal(await host.ok(["copy", "-q", "--all", layout, `docker://${back}`]), whole);
  assert.equal(await crane.ok(["digest", back]), whole);
  const filtered = `${registry.address}/several/ours:filtered`;
  await crane.ok(["index", "filter", back, "--platform", "linux/arm64", "-t", filtered]);
  assert.equal((JSON.parse(await host.ok(["manifest", "inspect", filtered])) as { manifests: [] }).manifests.length, 1);
  // crane reads index.json as the index itself.
  const pushed = `${registry.address}/several/layout:v1`;
  await crane.ok(["push", "--index", at("index"), pushed]);
  const top = JSON.parse(await crane.ok(["manifest", pushed])) as { manifests: { digest: string }[] };
  assert.deepEqual(
    top.manifests.map((one) => one.digest),
    [whole],
  );
  assert.equal(await host.ok(["copy", "-q", `docker://${pushed}`, `oci:${at("nested")}:v1`]), digest);
});

for (const door of ["password", "tokens"] as const) {
  test(`crane logs in to our registry (${door}), and teu goes in with what crane stored`, { skip }, async () => {
    await using closed = await serveRegistry(host, door);
    const target = `${closed.address}/team/base:v1`;
    const home = join(host.directory, `crane-${door}`);
    const one = new PeerClient("crane", home);
    const layout = at(`layout-${door}`);
    await host.ok(["copy", "-q", "containers:base", `oci:${layout}:v1`]);
    const login = ["auth", "login", closed.address, "-u", USER, "--password-stdin"];
    assert.match((await one.attempt(["push", layout, target])).stderr, /unauthorized/i);
    await one.attempt(login, { input: "wrong" });
    assert.match((await one.attempt(["push", layout, target])).stderr, /unauthorized/i);
    await one.ok(login, { input: PASSWORD });
    await one.ok(["push", layout, target]);
    await one.ok(["copy", target, `${closed.address}/team/mounted:v1`]);
    assert.equal(await one.ok(["digest", `${closed.address}/team/mounted:v1`]), digest);
    const env = { HOME: home };
    const found = await host.teu(["digest", target], { env });
    assert.equal(found.stdout.trim(), digest, found.stderr);
    await one.ok(["auth", "logout", closed.address]);
    assert.equal((await one.attempt(["digest", target])).ok, false);
  });
}
