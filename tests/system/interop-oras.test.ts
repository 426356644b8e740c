// oras and teu: files pushed by one and pulled by the other, referrers of both, copies through registries and layouts, digests equal.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { digestOf } from "@teu/image/digest";
import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";

import { CliHost } from "./cli-harness.ts";
import { PASSWORD, PeerClient, serveRegistry, type ServedRegistry, unable, USER } from "./peer-clients.ts";

const skip = unable("oras");
const TYPE = "application/vnd.test";
let host: CliHost;
let oras: PeerClient;
let registry: ServedRegistry;
let files = "";
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  oras = new PeerClient("oras", join(host.directory, "oras"));
  registry = await serveRegistry(host, "open");
  files = at("files");
  mkdirSync(join(files, "tree/deep"), { recursive: true });
  writeFileSync(join(files, "one.txt"), "one");
  writeFileSync(join(files, "tree/deep/two"), Buffer.alloc(3 << 20, "two"));
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

const at = (part: string): string => join(host.directory, part);

interface Tree {
  readonly digest: string;
  readonly artifactType?: string;
  readonly referrers?: readonly Tree[];
}

/** Both show trees so. */
function shape({ digest, artifactType, referrers = [] }: Tree): unknown {
  return [digest, artifactType, referrers.map(shape).toSorted()];
}

async function ourTree(name: string): Promise<unknown> {
  const tree = JSON.parse(await host.ok(["artifact", "discover", "--format", "json", name])) as Tree;
  return (tree.referrers ?? []).map(shape).toSorted();
}

async function theirTree(...args: readonly string[]): Promise<unknown> {
  const tree = JSON.parse(await oras.ok(["discover", "--format", "json", ...args])) as Tree;
  return (tree.referrers ?? []).map(shape).toSorted();
}

for (const peer of ["our registry", "docker-registry"] as const) {
  const skipHere = skip ?? (peer === "docker-registry" ? noDockerRegistry() || undefined : undefined);
  test(`oras and teu share artifacts and referrers on ${peer}`, { skip: skipHere }, async () => {
    await using other = peer === "docker-registry" ? await DockerRegistry.start() : null;
    const address = other?.address ?? registry.address;
    const here = (part: string): string => at(`${peer}-${part}`.replaceAll(" ", "-"));
    const theirs = `${address}/artifacts/theirs:v1`;
    const push = ["push", "--plain-http", "--artifact-type", TYPE];
    await oras.ok([...push, "--annotation", "a=b", theirs, "one.txt:text/plain", "tree"], { cwd: files });
    await host.ok(["artifact", "pull", "-q", "-o", here("ours"), theirs]);
    execFileSync("diff", ["-r", files, here("ours")]);

    const ours = `${address}/artifacts/ours:v1`;
    await host.ok(["artifact", "push", "-q", "-C", files, "--artifact-type", TYPE, ours, "one.txt:text/plain", "tree"]);
    await oras.ok(["pull", "--plain-http", "-o", here("theirs"), ours]);
    execFileSync("diff", ["-r", files, here("theirs")]);
    assert.equal(await oras.ok(["resolve", "--plain-http", ours]), await host.ok(["digest", ours]));

    // Each attaches to what both have attached to.
    for (const name of [ours, theirs]) {
      const attach = ["--artifact-type", "application/sbom"];
      const by = (who: string): readonly string[] => [
        ...attach,
        "--annotation",
        `by=${who}`,
        name,
        "one.txt:text/plain",
      ];
      await oras.ok(["attach", "--plain-http", ...by("oras")], { cwd: files });
      const mine = await host.ok(["artifact", "attach", "-q", "-C", files, ...by("teu")]);
      const below = `${name.replace(/:v1$/, "")}@${mine}`;
      await oras.ok(["attach", "--plain-http", "--artifact-type", "application/sig", "--annotation", "k=v", below]);
      const tree = await ourTree(name);
      assert.deepEqual(tree, await theirTree("--plain-http", name), name);
      assert.equal((tree as unknown[]).length, 2);
      // With everything that refers to it, to layouts and back.
      const digest = await host.ok(["digest", name]);
      const layout = here(`layout-${name === ours ? "ours" : "theirs"}`);
      await oras.ok(["cp", "-r", "--from-plain-http", name, "--to-oci-layout", `${layout}:v1`]);
      assert.deepEqual(await ourTree(`oci:${layout}:v1`), tree);
      assert.equal(await host.ok(["copy", "-q", "--referrers", `oci:${layout}:v1`, `${name}-back`]), digest);
      await host.ok(["copy", "-q", "--referrers", name, `oci:${layout}-2:v1`]);
      assert.deepEqual(await theirTree("--oci-layout", `${layout}-2:v1`), tree);
      await oras.ok(["cp", "-r", "--from-oci-layout", `${layout}-2:v1`, "--to-plain-http", `${address}/back/again:v1`]);
      assert.deepEqual(await ourTree(`${address}/back/again:v1`), tree);
    }
    assert.match(await oras.ok(["repo", "tags", "--plain-http", `${address}/artifacts/ours`]), /^v1$/m);
    assert.match(await oras.ok(["repo", "ls", "--plain-http", address]), /^artifacts\/ours$/m);
  });

  test(`what one detaches on ${peer} the other does not see any more`, { skip: skipHere }, async () => {
    await using other = peer === "docker-registry" ? await DockerRegistry.start() : null;
    const address = other?.address ?? registry.address;
    const repository = `${address}/artifacts/detached`;
    const name = `${repository}:v1`;
    await host.ok(["artifact", "push", "-q", "-C", files, "--artifact-type", TYPE, name, "one.txt"]);
    const attach = (n: string): Promise<string> =>
      host.ok([
        ...["artifact", "attach", "-q", "-C", files, "--artifact-type", "application/sbom", "-a", `n=${n}`],
        ...[name, "one.txt"],
      ]);
    const [first, second] = [await attach("1"), await attach("2")];
    await host.ok(["delete", `${repository}@${first}`]);
    assert.deepEqual(await theirTree("--plain-http", name), [[second, "application/sbom", []]]);
    await oras.ok(["manifest", "delete", "--plain-http", "--force", `${repository}@${second}`]);
    assert.deepEqual(await ourTree(name), []);
  });
}

test("oras' layouts and ours are one", { skip }, async () => {
  const layout = at("shared-layout");
  await oras.ok(["push", "--oci-layout", "--artifact-type", TYPE, `${layout}:theirs`, "one.txt", "tree"], {
    cwd: files,
  });
  await host.ok([
    "artifact",
    "push",
    "-q",
    "-C",
    files,
    "--artifact-type",
    TYPE,
    `oci:${layout}:ours`,
    "one.txt",
    "tree",
  ]);
  await host.ok(["artifact", "pull", "-q", "-o", at("layout-theirs"), `oci:${layout}:theirs`]);
  await oras.ok(["pull", "--oci-layout", "-o", at("layout-ours"), `${layout}:ours`]);
  for (const out of ["layout-theirs", "layout-ours"]) execFileSync("diff", ["-r", files, at(out)]);
  const tags = await oras.ok(["repo", "tags", "--oci-layout", layout]);
  assert.deepEqual(tags.split("\n").toSorted(), ["ours", "theirs"]);
});

test("oras' parts: blobs, manifests, indexes, configs", { skip }, async () => {
  const repository = `${registry.address}/parts/all`;
  const blob = join(files, "tree/deep/two");
  const digest = digestOf(readFileSync(blob));
  await oras.ok(["blob", "push", "--plain-http", `${repository}@${digest}`, blob]);
  await oras.ok(["blob", "fetch", "--plain-http", "-o", at("fetched"), `${repository}@${digest}`]);
  assert.equal(digestOf(readFileSync(at("fetched"))), digest);
  await oras.ok(["blob", "delete", "--plain-http", "--force", `${repository}@${digest}`]);
  assert.equal((await oras.attempt(["blob", "fetch", "--plain-http", "-o", "-", `${repository}@${digest}`])).ok, false);

  const image = `${registry.address}/parts/image`;
  const pushed = await host.ok(["copy", "-q", "containers:base", `docker://${image}:v1`]);
  const bytes = await oras.ok(["manifest", "fetch", "--plain-http", `${image}:v1`]);
  assert.equal(digestOf(bytes), pushed);
  writeFileSync(at("manifest.json"), bytes);
  await oras.ok(["manifest", "push", "--plain-http", `${image}:v2,v3`, at("manifest.json")]);
  assert.deepEqual((await host.ok(["ls", image])).split("\n"), ["v1", "v2", "v3"]);
  assert.equal(
    digestOf(await oras.ok(["manifest", "fetch-config", "--plain-http", `${image}:v2`])),
    await host.ok(["inspect", "--type", "image", "-f", "{{.Id}}", "base"]),
  );
  await oras.ok(["manifest", "index", "create", "--plain-http", `${image}:all`, "v1"]);
  assert.equal(await host.ok(["copy", "-q", `docker://${image}:all`, `oci:${at("from-index")}:v1`]), pushed);
  await oras.ok(["tag", "--plain-http", `${image}:v1`, "v4"]);
  assert.equal(await host.ok(["digest", `${image}:v4`]), pushed);
});

for (const door of ["password", "tokens"] as const) {
  test(`oras logs in to our registry (${door}), and teu goes in with what oras stored`, { skip }, async () => {
    await using closed = await serveRegistry(host, door);
    const name = `${closed.address}/team/files:v1`;
    const home = at(`oras-${door}`);
    const one = new PeerClient("oras", home);
    const login = ["login", "--plain-http", "-u", USER, "--password-stdin", closed.address];
    const push = ["push", "--plain-http", "--artifact-type", TYPE, name, "one.txt"];
    assert.equal((await one.attempt(push, { cwd: files })).ok, false);
    assert.equal((await one.attempt(login, { input: "wrong" })).ok, false);
    await one.ok(login, { input: PASSWORD });
    await one.ok(push, { cwd: files });
    await one.ok(["cp", "--from-plain-http", "--to-plain-http", name, `${closed.address}/team/mounted:v1`]);
    const found = await host.teu(["digest", name], { env: { HOME: home } });
    assert.equal(found.stdout.trim(), await one.ok(["resolve", "--plain-http", name]), found.stderr);
    await one.ok(["logout", closed.address]);
    assert.equal((await one.attempt(["resolve", "--plain-http", name])).ok, false);
  });
}
