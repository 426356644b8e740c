// regctl and teu: images, artifacts and layouts of each read by the other, digests equal; and regctl's commands against
// `teu registry serve`.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { digestOf } from "@teu/image/digest";

import { CliHost } from "./cli-harness.ts";
import { PASSWORD, PeerClient, serveRegistry, type ServedRegistry, unable, USER } from "./peer-clients.ts";

const skip = unable("regctl");
let host: CliHost;
let regctl: PeerClient;
let registry: ServedRegistry;
let name = "";
let digest = "";
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  registry = await serveRegistry(host, "open");
  regctl = await clientFor(registry, "regctl");
  name = `${registry.address}/team/base:v1`;
  digest = await host.ok(["copy", "-q", "containers:base", `docker://${name}`]);
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

const at = (part: string): string => join(host.directory, part);

/** A client that knows that the registry speaks plain HTTP. */
async function clientFor({ address }: ServedRegistry, home: string): Promise<PeerClient> {
  const client = new PeerClient("regctl", at(home));
  await client.ok(["registry", "set", "--tls", "disabled", "--skip-check", address]);
  return client;
}

function idOf(image: string): Promise<string> {
  return host.ok(["inspect", "--type", "image", "-f", "{{.Id}}", image]);
}

test("regctl reads what teu pushed, and lists it", { skip }, async () => {
  assert.equal(await regctl.ok(["image", "digest", name]), digest);
  assert.equal(digestOf(await regctl.ok(["manifest", "get", "--format", "raw-body", name])), digest);
  assert.equal(await regctl.ok(["tag", "ls", `${registry.address}/team/base`]), "v1");
  assert.match(await regctl.ok(["repo", "ls", registry.address]), /^team\/base$/m);
  const passwd = await regctl.ok(["image", "get-file", name, "/etc/passwd"]);
  assert.match(passwd, /^app:x:1000/m);
});

test("layouts: regctl's ocidir is our oci, both ways, with referrers", { skip }, async () => {
  const type = ["--artifact-type", "application/sbom"];
  writeFileSync(at("sbom"), "sbom");
  const theirs = await regctl.ok([
    "artifact",
    "put",
    ...type,
    "--subject",
    name,
    "-f",
    at("sbom"),
    "--format",
    "{{.Manifest.GetDescriptor.Digest}}",
  ]);
  const mine = await host.ok(["artifact", "attach", "-q", ...type, "-C", host.directory, name, "sbom"]);
  const listed = async (place: string): Promise<string[]> =>
    (await regctl.ok(["artifact", "list", "--format", "{{range .Descriptors}}{{println .Digest}}{{end}}", place]))
      .split("\n")
      .toSorted();
  const discovered = async (place: string): Promise<string[]> => {
    const tree = JSON.parse(await host.ok(["artifact", "discover", "--format", "json", place])) as {
      referrers: { digest: string }[];
    };
    return tree.referrers.map((one) => one.digest).toSorted();
  };
  const wanted = [theirs, mine].toSorted();
  assert.deepEqual(await listed(name), wanted);
  assert.deepEqual(await discovered(name), wanted);

  await regctl.ok(["image", "copy", "--referrers", name, `ocidir://${at("theirs")}:v1`]);
  assert.equal(await host.ok(["digest", `oci:${at("theirs")}:v1`]), digest);
  assert.deepEqual(await discovered(`oci:${at("theirs")}:v1`), wanted);
  assert.equal(
    await host.ok(["copy", "-q", "--referrers", `oci:${at("theirs")}:v1`, `${registry.address}/a/back:v1`]),
    digest,
  );
  assert.deepEqual(await listed(`${registry.address}/a/back:v1`), wanted);

  await host.ok(["copy", "-q", "--referrers", name, `oci:${at("ours")}:v1`]);
  assert.equal(await regctl.ok(["image", "digest", `ocidir://${at("ours")}:v1`]), digest);
  await regctl.ok(["image", "copy", `ocidir://${at("ours")}:v1`, `${registry.address}/b/back:v1`]);
  assert.equal(await host.ok(["digest", `${registry.address}/b/back:v1`]), digest);
  // What refers to an image it finds in a layout by a tag of its own only, so that is not there.
  assert.equal(
    await host.ok(["copy", "-q", "--referrers", `oci:${at("ours")}:v1`, `${registry.address}/b/with:v1`]),
    digest,
  );
  assert.deepEqual(await listed(`${registry.address}/b/with:v1`), wanted);
});

test("archives: each imports what the other exports", { skip }, async () => {
  await regctl.ok(["image", "export", "--name", "team/exported:v1", name, at("theirs.tar")]);
  assert.match(await host.ok(["load", "-i", at("theirs.tar")]), /team\/exported:v1/);
  assert.equal(await idOf("team/exported:v1"), await idOf("base"));
  assert.equal(await host.ok(["run", "--rm", "--network", "none", "team/exported:v1", "/bin/echo", "hi"]), "hi");
  for (const format of ["docker-archive", "oci-archive"]) {
    await host.ok(["save", "--format", format, "-o", at(`${format}.tar`), "base"]);
    const target = `${registry.address}/imported/${format}:v1`;
    await regctl.ok(["image", "import", target, at(`${format}.tar`)]);
    if (format === "oci-archive") assert.equal(await host.ok(["digest", target]), digest);
    await host.ok(["copy", "-q", `docker://${target}`, `containers:imported-${format}`]);
    assert.equal(await idOf(`imported-${format}`), await idOf("base"), format);
  }
});

test("teu runs what regctl changed, of another digest algorithm too", { skip }, async () => {
  const changed = (tag: string): string => `${registry.address}/changed/app:${tag}`;
  await regctl.ok(["image", "mod", name, "--create", changed("mod"), "--label", "a=b", "--env", "X=y"]);
  await host.ok(["pull", "-q", changed("mod")]);
  assert.match(await host.ok(["run", "--rm", "--network", "none", changed("mod"), "/bin/env"]), /^X=y$/m);
  for (const [tag, flags] of [
    ["docker", ["--to-docker"]],
    ["zstd", ["--layer-compress", "zstd"]],
    ["sha512", ["--digest-algo", "sha512"]],
  ] as const) {
    await regctl.ok(["image", "mod", name, "--create", changed(tag), ...flags]);
    await host.ok(["pull", "-q", changed(tag)]);
    assert.equal(await host.ok(["run", "--rm", "--network", "none", changed(tag), "/bin/echo", "hi"]), "hi", tag);
    const theirs = await regctl.ok(["image", "digest", changed(tag)]);
    const layout = `oci:${at(`changed-${tag}`)}:v1`;
    assert.equal(await host.ok(["copy", "-q", changed(tag), layout]), theirs, tag);
    assert.equal(await regctl.ok(["image", "digest", `ocidir://${at(`changed-${tag}`)}:v1`]), theirs, tag);
    assert.equal(await host.ok(["copy", "-q", layout, changed(`${tag}-back`)]), theirs, tag);
    assert.equal(await regctl.ok(["image", "digest", changed(`${tag}-back`)]), theirs, tag);
  }
});

test("regctl copies, makes indexes and deletes on our registry", { skip }, async () => {
  const index = `${registry.address}/several/theirs:v1`;
  await regctl.ok(["index", "create", index, "--ref", name, "--annotation", "a=b"]);
  assert.equal(await host.ok(["copy", "-q", `docker://${index}`, `oci:${at("one")}:v1`]), digest);
  await regctl.ok(["image", "copy", name, `${registry.address}/several/copy:v1`]);
  await regctl.ok(["image", "copy", name, `${registry.address}/several/copy:v2`]);
  assert.equal(await host.ok(["digest", `${registry.address}/several/copy:v2`]), digest);
  await regctl.ok(["tag", "rm", `${registry.address}/several/copy:v2`]);
  assert.equal(await host.ok(["ls", `${registry.address}/several/copy`]), "v1");
  await regctl.ok(["manifest", "rm", `${registry.address}/several/copy@${digest}`]);
  assert.notEqual((await host.teu(["digest", `${registry.address}/several/copy:v1`])).code, 0);
  const blob = await regctl.ok(["blob", "put", `${registry.address}/several/blob`], { input: "content" });
  assert.match(blob, new RegExp(digestOf("content")));
  await regctl.ok([
    "blob",
    "copy",
    `${registry.address}/several/blob`,
    `${registry.address}/several/other`,
    digestOf("content"),
  ]);
  assert.equal(await regctl.ok(["blob", "get", `${registry.address}/several/other`, digestOf("content")]), "content");
});

for (const door of ["password", "tokens"] as const) {
  test(`regctl logs in to our registry (${door})`, { skip }, async () => {
    await using closed = await serveRegistry(host, door);
    const one = await clientFor(closed, `regctl-${door}`);
    const target = `${closed.address}/team/base:v1`;
    await host.ok(["copy", "-q", "containers:base", `oci:${at(`layout-${door}`)}:v1`]);
    const copy = ["image", "copy", `ocidir://${at(`layout-${door}`)}:v1`, target];
    assert.equal((await one.attempt(copy)).ok, false);
    const login = ["registry", "login", closed.address, "-u", USER, "--pass-stdin"];
    assert.equal((await one.attempt(login, { input: "wrong" })).ok, false);
    await one.ok(login, { input: PASSWORD });
    await one.ok(copy);
    await one.ok(["image", "copy", target, `${closed.address}/team/mounted:v1`]);
    assert.equal(await one.ok(["image", "digest", `${closed.address}/team/mounted:v1`]), digest);
    await one.ok(["registry", "logout", closed.address]);
    assert.equal((await one.attempt(["image", "digest", target])).ok, false);
  });
}
