// teu copy and its relatives as people type them: against our registry, docker-registry and skopeo, digests equal both ways.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { digestOf } from "@teu/image/digest";
import { Registry } from "@teu/registry/registry";
import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";

import { CliHost, UNABLE } from "./cli-harness.ts";

const SKOPEO = "/usr/bin/skopeo";
const run = promisify(execFile);
const skip = UNABLE;
const skipPeers = UNABLE ?? (existsSync(SKOPEO) ? undefined : `${SKOPEO} is not installed`);
let host: CliHost;
let registry: Registry;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  registry = await Registry.listen();
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

async function skopeo(...argv: readonly string[]): Promise<string> {
  const { stdout } = await run(SKOPEO, ["--insecure-policy", ...argv], {
    timeout: 60_000,
    env: { ...process.env, HTTP_PROXY: "", HTTPS_PROXY: "" },
  });
  return stdout;
}

/** The digest of what a place holds, in skopeo's eyes. */
async function digestAt(place: string): Promise<string> {
  const insecure = place.startsWith("docker://") ? ["--tls-verify=false"] : [];
  return digestOf(await skopeo("inspect", "--raw", ...insecure, place));
}

for (const peer of ["our registry", "docker-registry"] as const) {
  const skipHere = skipPeers ?? (peer === "docker-registry" ? noDockerRegistry() || undefined : undefined);
  test(`copy: skopeo and ${peer}, both ways, digests equal`, { skip: skipHere }, async () => {
    await using other = peer === "docker-registry" ? await DockerRegistry.start() : null;
    const address = other?.address ?? registry.address;
    const at = (name: string): string => join(host.directory, `${peer}-${name}`.replaceAll(" ", "-"));
    const remote = `docker://${address}/copy/base:v1`;
    const digest = await host.ok(["copy", "-q", "containers:base", remote]);
    assert.match(digest, /^sha256:[0-9a-f]{64}$/);
    assert.equal(await digestAt(remote), digest);
    for (const place of [`oci:${at("oci")}:v1`, `oci-archive:${at("oci.tar")}:v1`, `dir:${at("dir")}`]) {
      // Ours to theirs ...
      assert.equal(await host.ok(["copy", "-q", remote, place]), digest, place);
      assert.equal(await digestAt(place), digest, place);
      await skopeo("copy", "--preserve-digests", "--dest-tls-verify=false", place, `${remote}-theirs`);
      assert.equal(await host.ok(["copy", "-q", `${remote}-theirs`, `oci:${at("back")}:v1`]), digest, place);
      // ... and theirs to ours.
      const theirs = place.replace(at(""), at("theirs-"));
      await skopeo("copy", "--preserve-digests", "--src-tls-verify=false", remote, theirs);
      assert.equal(await host.ok(["copy", "-q", theirs, `${remote}-back`]), digest, theirs);
      assert.equal(await digestAt(`${remote}-back`), digest, theirs);
    }
    // Docker's archives: skopeo makes its own manifest of them, the config (the image's id) stays.
    const config = JSON.parse(await skopeo("inspect", "--config", "--tls-verify=false", remote)) as { rootfs: unknown };
    await host.ok(["copy", remote, `docker-archive:${at("d.tar")}:a/b:v1`]);
    const read = await skopeo("inspect", "--config", `docker-archive:${at("d.tar")}:a/b:v1`);
    assert.deepEqual((JSON.parse(read) as typeof config).rootfs, config.rootfs);
    await skopeo("copy", "--src-tls-verify=false", remote, `docker-archive:${at("theirs.tar")}:a/b:v2`);
    await host.ok(["copy", `docker-archive:${at("theirs.tar")}:a/b:v2`, "containers:from-skopeo"]);
    const id = await host.ok(["inspect", "--type", "image", "-f", "{{.Id}}", "from-skopeo"]);
    assert.equal(id, await host.ok(["inspect", "--type", "image", "-f", "{{.Id}}", "base"]));
    assert.equal(await host.ok(["run", "--rm", "--network", "none", "from-skopeo", "echo", "hi"]), "hi");
  });
}

test("copy: JSON, digest file, and what is there is not sent again", { skip }, async () => {
  const target = `oci:${join(host.directory, "json")}:v1`;
  const file = join(host.directory, "digestfile");
  const first = JSON.parse(
    await host.ok(["copy", "--format", "json", "--digestfile", file, "containers:base", target]),
  ) as Record<string, unknown>;
  assert.deepEqual(Object.keys(first), [
    "source",
    "destination",
    "digest",
    "mediaType",
    "size",
    "documents",
    "referrers",
    "blobs",
    "bytes",
  ]);
  assert.equal(readFileSync(file, "utf8"), first["digest"]);
  const second = JSON.parse(await host.ok(["copy", "--format", "json", "containers:base", target])) as typeof first;
  assert.equal(second["bytes"], 0);
  assert.equal(second["digest"], first["digest"]);
});

test(
  "copy --additional-tag: skopeo finds each name that we wrote, and we find each of theirs",
  { skip: skipPeers },
  async () => {
    const file = (name: string): string => join(host.directory, name);
    const remote = `docker://${registry.address}/copy/names`;
    const further = ["--additional-tag", "b:v2", "--additional-tag", "quay.io/c/d:v3"];
    const digest = await host.ok(["copy", "-q", "--additional-tag", "v2", "containers:base", `${remote}:v1`]);
    for (const tag of ["v1", "v2"]) assert.equal(await digestAt(`${remote}:${tag}`), digest);
    await host.ok(["copy", ...further, "containers:base", `docker-archive:${file("names.tar")}:a:v1`]);
    await skopeo(
      "copy",
      ...further,
      `docker-archive:${file("names.tar")}:a:v1`,
      `docker-archive:${file("theirs.tar")}:a:v1`,
    );
    for (const name of ["a:v1", "b:v2", "quay.io/c/d:v3"]) {
      await skopeo("inspect", "--raw", `docker-archive:${file("names.tar")}:${name}`);
      await host.ok(["digest", `docker-archive:${file("theirs.tar")}:${name}`]);
    }
    await host.ok(["copy", ...further, "containers:base", "containers:names:v1"]);
    assert.equal(
      await host.ok(["inspect", "--type", "image", "-f", "{{.Id}}", "quay.io/c/d:v3"]),
      await host.ok(["inspect", "--type", "image", "-f", "{{.Id}}", "names:v1"]),
    );
    await host.ok(["copy", "--additional-tag", "v2", "containers:base", `oci:${file("names")}:v1`]);
    for (const name of ["v1", "v2"]) assert.equal(await digestAt(`oci:${file("names")}:${name}`), digest);
  },
);

const MISTAKES: readonly { readonly args: readonly string[]; readonly code: number; readonly stderr: RegExp }[] = [
  { args: ["copy", "base"], code: 125, stderr: /exactly 2 arguments/ },
  { args: ["copy", "dir:", "dir:x"], code: 125, stderr: /names no place/ },
  {
    args: ["copy", "--all", "--platform", "arm64", "containers:base", "dir:x"],
    code: 125,
    stderr: /exclude each other/,
  },
  { args: ["copy", "--format", "yaml", "containers:base", "dir:x"], code: 125, stderr: /"yaml" is not known/ },
  { args: ["copy", "--src-creds", "secret", "containers:base", "dir:x"], code: 125, stderr: /is not USER:PASSWORD/ },
  { args: ["copy", "--sign-by", "x", "containers:base", "dir:x"], code: 125, stderr: /not supported yet/ },
  { args: ["copy", "containers-storage:base", "dir:x"], code: 1, stderr: /podman save/ },
  {
    args: ["copy", "--src-daemon-host", "unix:///nowhere.sock", "docker-daemon:base", "dir:x"],
    code: 1,
    stderr: /the daemon cannot be reached/,
  },
  {
    args: ["copy", "containers:base", `docker-daemon:sha256:${"a".repeat(64)}`],
    code: 125,
    stderr: /cannot be the name/,
  },
  { args: ["copy", "containers:absent", "oci:never"], code: 1, stderr: /No such image/ },
  { args: ["copy", "oci:absent", "oci:never"], code: 1, stderr: /read image layout/ },
  {
    args: ["copy", "--platform", "s390x", "containers:base", "oci:never:a,b"],
    code: 125,
    stderr: /cannot be the name/,
  },
  { args: ["copy", "--additional-tag", "a:1", "containers:base", "dir:x"], code: 125, stderr: /without a name/ },
  { args: ["copy", "--referrers", "containers:base", "dir:x"], code: 1, stderr: /one image only/ },
];

test("copy: mistakes are named, and leave nothing", { skip }, async () => {
  for (const { args, code, stderr } of MISTAKES) {
    const outcome = await host.teu(args, { cwd: host.directory });
    assert.equal(outcome.code, code, `${args.join(" ")}: ${outcome.stderr}`);
    assert.match(outcome.stderr, stderr, args.join(" "));
    assert.doesNotMatch(outcome.stderr, /secret/);
  }
  assert.equal(existsSync(join(host.directory, "never")), false);
});

test("docs/guide/copy-and-mirror.md: works when typed in", { skip }, async () => {
  await host.ok(["tag", "base", "hello"]);
  const guide = readFileSync(new URL("../../docs/guide/copy-and-mirror.md", import.meta.url), "utf8");
  const lines = [...guide.matchAll(/^# (teu .*)$/gm)].map((match) => match[1] ?? "");
  assert.ok(lines.length >= 7);
  const list = /^```yaml\n([^]*?)^```$/m.exec(guide)?.[1] ?? "";
  writeFileSync(join(host.directory, "images.yaml"), list.replaceAll("127.0.0.1:5000", registry.address));
  for (const line of lines) {
    const words = line.replaceAll("127.0.0.1:5000", registry.address).split(" ").slice(1);
    const outcome = await host.teu(words, { cwd: host.directory });
    assert.equal(outcome.code, 0, `${line}: ${outcome.stderr}`);
  }
});

test("digest: of an image wherever it is, for a platform, with its repository", { skip }, async () => {
  const remote = `${registry.address}/digest/base:v1`;
  const layout = `oci:${join(host.directory, "digest")}:v1`;
  const digest = await host.ok(["copy", "-q", "containers:base", remote]);
  await host.ok(["copy", remote, layout]);
  for (const place of [remote, `docker://${remote}`, layout, "containers:base"])
    assert.equal(await host.ok(["digest", place]), digest, place);
  assert.equal(await host.ok(["digest", "--full-ref", remote]), `${registry.address}/digest/base@${digest}`);
  const described = JSON.parse(await host.ok(["digest", "--format", "json", layout])) as { digest: string };
  assert.equal(described.digest, digest);
  assert.equal((await host.teu(["digest", `${registry.address}/digest/base:v2`])).code, 1);
});

test("ls, catalog: tags and repositories, of layouts too", { skip }, async () => {
  const repository = `${registry.address}/list/base`;
  const layout = `oci:${join(host.directory, "listed")}`;
  const digestTag = `sha256-${"a".repeat(64)}.sig`;
  for (const tag of ["v1", "v2", digestTag]) await host.ok(["copy", "containers:base", `${repository}:${tag}`]);
  for (const tag of ["b", "a"]) await host.ok(["copy", "containers:base", `${layout}:${tag}`]);
  assert.equal(await host.ok(["ls", repository]), [digestTag, "v1", "v2"].join("\n"));
  assert.equal(
    await host.ok(["ls", "--omit-digest-tags", "--full-ref", repository]),
    `${repository}:v1\n${repository}:v2`,
  );
  assert.deepEqual(JSON.parse(await host.ok(["ls", "--format", "json", layout])), {
    repository: layout,
    tags: ["a", "b"],
  });
  assert.match(await host.ok(["catalog", registry.address]), /^list\/base$/m);
  assert.match(
    await host.ok(["catalog", "--full-ref", `http://${registry.address}/`]),
    new RegExp(`^${repository}$`, "m"),
  );
  const listed = JSON.parse(await host.ok(["catalog", "--format", "json", registry.address])) as {
    repositories: string[];
  };
  assert.ok(listed.repositories.includes("list/base"));
  assert.equal((await host.teu(["ls", `${repository}:v1`])).code, 125);
  assert.equal((await host.teu(["ls", `${registry.address}/absent`])).code, 1);
});

test("blob: verified, to stdout and to a file, from registries and layouts", { skip }, async () => {
  const repository = `${registry.address}/blob/base`;
  const layout = `oci:${join(host.directory, "blobs-of")}`;
  await host.ok(["copy", "containers:base", `${repository}:v1`]);
  await host.ok(["copy", "containers:base", `${layout}:v1`]);
  const id = await host.ok(["inspect", "--type", "image", "-f", "{{.Id}}", "base"]);
  const file = join(host.directory, "config.json");
  for (const place of [repository, layout]) {
    const outcome = await host.teu(["blob", `${place}@${id}`]);
    assert.equal(digestOf(outcome.stdout), id, outcome.stderr);
    await host.ok(["blob", "-o", file, `${place}@${id}`]);
    assert.equal(digestOf(readFileSync(file)), id);
    const absent = await host.teu(["blob", "-o", `${file}.no`, `${place}@sha256:${"0".repeat(64)}`]);
    assert.equal(absent.code, 1);
    assert.match(absent.stderr, /no such blob/);
    assert.equal(existsSync(`${file}.no`), false);
  }
  writeFileSync(join(host.directory, "blobs-of/blobs/sha256", id.slice(7)), "damaged");
  const damaged = await host.teu(["blob", "-o", `${file}.no`, `${layout}@${id}`]);
  assert.equal(damaged.code, 1);
  assert.equal(existsSync(`${file}.no`), false);
  assert.equal((await host.teu(["blob", repository])).code, 125);
});

test("delete: a tag alone, a manifest with its tags, and registries that know digests only", { skip }, async () => {
  const repository = `${registry.address}/gone/base`;
  for (const tag of ["v1", "v2", "v3"]) await host.ok(["copy", "containers:base", `${repository}:${tag}`]);
  assert.equal(await host.ok(["delete", `${repository}:v1`]), `${repository}:v1`);
  assert.equal(await host.ok(["ls", repository]), "v2\nv3");
  const digest = await host.ok(["digest", `${repository}:v2`]);
  assert.equal(await host.ok(["delete", "--manifest", `${repository}:v2`]), `${repository}@${digest}`);
  assert.equal((await host.teu(["digest", `${repository}:v3`])).code, 1);
  const both = await host.teu(["delete", `${repository}:v2`, repository]);
  assert.equal(both.code, 125, "a name without a tag is a mistake before anything is deleted");
  assert.equal((await host.teu(["delete", `${repository}:v2`])).code, 1);
});

test("delete: an image of a layout with its blobs; places that are whole say what does instead", { skip }, async () => {
  const layout = join(host.directory, "shrinking");
  await host.ok(["copy", "--additional-tag", "v2", "containers:base", `oci:${layout}:v1`]);
  assert.equal(await host.ok(["delete", `oci:${layout}:v1`]), `oci:${layout}:v1`);
  const digest = await host.ok(["digest", `oci:${layout}:v2`]);
  assert.equal(await host.ok(["delete", "--manifest", `oci:${layout}:v2`]), `oci:${layout}@${digest}`);
  assert.deepEqual(readdirSync(join(layout, "blobs/sha256")), []);
  assert.deepEqual(readdirSync(layout).toSorted(), ["blobs", "index.json", "oci-layout"]);
  for (const [name, code, stderr] of [
    [`oci:${layout}:v1`, 1, /no image is called "v1"/],
    [`oci:${layout}`, 125, /not an image in it/],
    [`oci:${layout}-absent:v1`, 1, /read image layout/],
    ["oci-archive:x.tar:v1", 125, /remove the file/],
    ["docker-archive:x.tar:a:v1", 125, /remove the file/],
    ["dir:x", 125, /remove the directory/],
    ["containers:base", 125, /teu rmi/],
  ] as const) {
    const outcome = await host.teu(["delete", name]);
    assert.equal(outcome.code, code, name);
    assert.match(outcome.stderr, stderr);
  }
  assert.equal(existsSync(`${layout}-absent`), false);
});

test(
  "delete: docker-registry deletes no tags, and is told so",
  { skip: skip ?? (noDockerRegistry() || undefined) },
  async () => {
    await using other = await DockerRegistry.start();
    const name = `${other.address}/gone/base:v1`;
    await host.ok(["copy", "containers:base", name]);
    const outcome = await host.teu(["delete", name]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.stderr, /hint: --manifest deletes/);
    await host.ok(["delete", "--manifest", name]);
    assert.equal((await host.teu(["digest", name])).code, 1);
  },
);

test("manifest: created, annotated, pushed, read by skopeo and pulled", { skip: skipPeers }, async () => {
  const at = `${registry.address}/many/app`;
  const list = `${at}:v1`;
  for (const arch of ["amd64", "s390x"]) {
    const context = host.context(`arch-${arch}`, {
      Dockerfile: `FROM scratch\nCOPY f /\nLABEL arch=${arch}\n`,
      f: arch,
    });
    await host.ok(["build", "-q", "-t", `${at}:${arch}`, context]);
    await host.ok(["push", "-q", `${at}:${arch}`]);
  }
  // One more from elsewhere: it is copied along.
  const elsewhere = `${registry.address}/elsewhere:v1`;
  await host.ok(["copy", "containers:base", elsewhere]);
  await host.ok(["manifest", "create", list, `${at}:amd64`, `docker://${at}:s390x`]);
  assert.match((await host.teu(["manifest", "create", list, elsewhere])).stderr, /--amend/);
  await host.ok(["manifest", "create", "--amend", list, elsewhere]);
  await host.ok(["manifest", "annotate", "--os", "linux", "--arch", "s390x", list, `${at}:s390x`]);
  await host.ok(["manifest", "annotate", "--arch", "arm", "--variant", "v7", list, elsewhere]);
  const local = await host.ok(["manifest", "inspect", "--raw", list]);
  const digest = await host.ok(["manifest", "push", "-q", list]);
  assert.equal(digestOf(local), digest);
  assert.equal(await digestAt(`docker://${list}`), digest);
  await host.ok(["manifest", "rm", list]);
  assert.equal((await host.teu(["manifest", "rm", list])).code, 1);
  const remote = JSON.parse(await host.ok(["manifest", "inspect", list])) as { manifests: { platform: object }[] };
  assert.deepEqual(
    remote.manifests.map(({ platform }) => platform),
    [
      { architecture: "amd64", os: "linux" },
      { architecture: "s390x", os: "linux" },
      { architecture: "arm", os: "linux", variant: "v7" },
    ],
  );
  assert.equal(await host.ok(["digest", "--platform", "linux/s390x", list]), await host.ok(["digest", `${at}:s390x`]));
  const verbose = JSON.parse(await host.ok(["manifest", "inspect", "-v", list])) as {
    Ref: string;
    OCIManifest: unknown;
  }[];
  assert.deepEqual(
    verbose.map(({ OCIManifest }) => typeof OCIManifest),
    ["object", "object", "object"],
  );
  assert.equal(verbose[1]?.Ref, `${at}@${await host.ok(["digest", `${at}:s390x`])}`);
  await skopeo(
    "copy",
    "--all",
    "--preserve-digests",
    "--src-tls-verify=false",
    `docker://${list}`,
    `oci:${join(host.directory, "many")}:v1`,
  );
  assert.equal(await host.ok(["digest", `oci:${join(host.directory, "many")}:v1`]), digest);
  // A list in a list is refused, and so is what is on no registry.
  assert.equal((await host.teu(["manifest", "create", `${at}:v2`, list])).code, 1);
  assert.equal((await host.teu(["manifest", "create", `${at}:v2`, "containers:base"])).code, 125);
  assert.equal((await host.teu(["manifest", "annotate", list, elsewhere])).code, 125);
});

test("copy --digest-tags: cosign's tags come along, others stay", { skip }, async () => {
  const at = `${registry.address}/tagged/base`;
  const digest = await host.ok(["copy", "-q", "containers:base", `${at}:v1`]);
  const mine = `${digest.replace(":", "-")}.sig`;
  for (const tag of [mine, `sha256-${"0".repeat(64)}.sig`, "other"])
    await host.ok(["copy", "containers:base", `${at}:${tag}`]);
  const layout = `oci:${join(host.directory, "tagged")}`;
  const said = JSON.parse(
    await host.ok(["copy", "--format", "json", "--digest-tags", `${at}:v1`, `${layout}:v1`]),
  ) as object;
  assert.deepEqual("digestTags" in said ? said.digestTags : null, [mine]);
  assert.equal(await host.ok(["ls", layout]), [mine, "v1"].join("\n"));
  await host.ok(["copy", "--digest-tags", `${layout}:v1`, `${at}-mirror:v1`]);
  assert.equal(await host.ok(["ls", `${at}-mirror`]), [mine, "v1"].join("\n"));
  assert.equal((await host.teu(["copy", "--digest-tags", `${at}:v1`, "dir:x"], { cwd: host.directory })).code, 125);
});
