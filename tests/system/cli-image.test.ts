// `teu image mutate|append|flatten|rebase`: between this host, layouts, archives and a registry, read back by skopeo, umoci and podman
// where they are installed; what fails leaves nothing.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { Registry } from "@teu/registry/registry";

import { CliHost, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
let host: CliHost;
let registry: Registry;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  registry = await Registry.listen({ root: join(host.directory, "registry") });
  mkdirSync(join(host.directory, "tmp"));
  mkdirSync(join(host.directory, "tree/etc"), { recursive: true });
  writeFileSync(join(host.directory, "tree/etc/added"), "added\n");
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

/** Not the synchronous way: the registry of these tests is in this process. */
async function run(program: string, args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(program, [...args], { timeout: 60_000 })).stdout;
}

function has(program: string): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

async function teu(...args: readonly string[]): Promise<string> {
  const outcome = await host.teu(args, { cwd: host.directory, env: { TMPDIR: join(host.directory, "tmp") } });
  assert.equal(outcome.code, 0, `${args.join(" ")}: ${outcome.stderr}`);
  return outcome.stdout.trim();
}

async function fails(args: readonly string[], code: number, text: RegExp): Promise<void> {
  const outcome = await host.teu(args, { cwd: host.directory, env: { TMPDIR: join(host.directory, "tmp") } });
  assert.equal(outcome.code, code, outcome.stderr);
  assert.match(outcome.stderr, text);
  assert.equal(outcome.stdout, "");
  assert.deepEqual(readdirSync(join(host.directory, "tmp")), []);
}

test("image append, mutate: an image of this host runs with what was added and set", { skip }, async () => {
  await teu(
    "image",
    "append",
    "-q",
    "--prefix",
    "/srv",
    "--owner",
    "3:4",
    "-m",
    "more",
    "-t",
    "more:1",
    "base",
    "tree",
  );
  await teu("image", "mutate", "-q", "-e", "A=b c", "--cmd", '["cat", "/srv/etc/added"]', "-l", "x=y", "more:1");
  assert.equal(await teu("run", "--rm", "--network", "none", "more:1"), "added");
  assert.match(
    await teu("run", "--rm", "--network", "none", "more:1", "sh", "-c", "ls -ln /srv/etc; echo $A"),
    / 3 +4 .*b c$/s,
  );
  assert.match(await teu("history", "more:1"), /teu image append .* more/);
  const [facts] = JSON.parse(await teu("image", "inspect", "more:1")) as [{ Config: { Labels: unknown } }];
  assert.deepEqual(facts.Config.Labels, { x: "y" });
});

test("image mutate: by way of a registry, a layout, archives and back the same digest", { skip }, async () => {
  const remote = `docker://${registry.address}/app:v1`;
  await teu("copy", "-q", "containers:base", remote);
  const first = await teu(
    "image",
    "mutate",
    "-q",
    "--annotation",
    "a.b=c",
    "--compress",
    "zstd",
    "-t",
    "oci:layout:v1",
    remote,
  );
  for (const [from, to] of [
    ["oci:layout:v1", "oci-archive:image.tar:v1"],
    ["oci-archive:image.tar:v1", "dir:directory"],
    ["dir:directory", "again:1"],
    ["again:1", remote],
  ] as const) {
    assert.equal(await teu("image", "mutate", "-q", "--annotation", "a.b=c", "--to", to, from), first);
  }
  const answer = JSON.parse(await teu("image", "mutate", "--format", "json", "--user", "app", remote)) as Record<
    string,
    unknown
  >;
  assert.equal(answer["digest"], await teu("digest", remote));
  assert.notEqual(answer["digest"], first);
  if (has("skopeo")) {
    const raw = await run("skopeo", ["inspect", "--config", "--tls-verify=false", remote]);
    assert.equal((JSON.parse(raw) as { config: { User: string } }).config.User, "app");
  }
});

test("image mutate: Docker's media types are what skopeo and podman take for Docker's", { skip }, async () => {
  await teu("image", "mutate", "-q", "--media-types", "docker", "--compress", "gzip", "-t", "dir:docker", "base");
  const manifest = JSON.parse(readFileSync(join(host.directory, "docker/manifest.json"), "utf8")) as {
    mediaType: string;
  };
  assert.equal(manifest.mediaType, "application/vnd.docker.distribution.manifest.v2+json");
  if (has("skopeo"))
    await run("skopeo", ["copy", `dir:${host.directory}/docker`, `docker-archive:${host.directory}/skopeo.tar:x:1`]);
});

test("image flatten: what umoci unpacks of it is what it unpacks of the image", { skip }, async () => {
  await teu("image", "append", "-q", "-t", "two", "base", "tree");
  await teu("image", "flatten", "-q", "-t", "oci:flat:v1", "two");
  await teu("copy", "-q", "containers:two", "oci:flat:v2");
  const index = JSON.parse(readFileSync(join(host.directory, "flat/index.json"), "utf8")) as { manifests: unknown[] };
  assert.equal(index.manifests.length, 2);
  assert.equal(
    await teu("image", "flatten", "-q", "-t", "oci:flat:v3", "oci:flat:v1"),
    await teu("digest", "oci:flat:v1"),
  );
  if (!has("umoci")) return;
  const trees: string[] = [];
  for (const tag of ["v1", "v2"]) {
    const bundle = join(host.directory, `bundle-${tag}`);
    await run("umoci", ["unpack", "--image", `${host.directory}/flat:${tag}`, bundle]);
    trees.push(join(bundle, "rootfs"));
  }
  const list = async (tree: string): Promise<string[]> =>
    (await run("find", [tree, "-printf", "%P %M %U:%G %l\\n"])).split("\n").toSorted();
  assert.deepEqual(await list(trees[0] ?? ""), await list(trees[1] ?? ""));
  await run("diff", ["-r", "--no-dereference", trees[0] ?? "", trees[1] ?? ""]);
});

test("image rebase: onto a newer base; the base's files change, the image's stay", { skip }, async () => {
  writeFileSync(join(host.directory, "tree/etc/base"), "old\n");
  await teu("image", "append", "-q", "-t", "old-base", "base", "tree");
  writeFileSync(join(host.directory, "tree/etc/base"), "new\n");
  await teu("image", "append", "-q", "-t", "new-base", "base", "tree");
  writeFileSync(join(host.directory, "own"), "x");
  mkdirSync(join(host.directory, "own-tree"));
  writeFileSync(join(host.directory, "own-tree/own"), "own\n");
  await teu("image", "append", "-q", "-t", "app", "old-base", "own-tree");
  const before = await teu("digest", "containers:app");
  assert.equal(await teu("image", "rebase", "-q", "--old-base", "old-base", "--new-base", "old-base", "app"), before);
  await teu("image", "rebase", "-q", "--old-base", "old-base", "--new-base", "new-base", "-t", "app:new", "app");
  assert.equal(await teu("run", "--rm", "--network", "none", "app:new", "cat", "/etc/base", "/own"), "new\nown");
  await fails(
    ["image", "rebase", "--old-base", "new-base", "--new-base", "old-base", "-t", "x", "app"],
    1,
    /does not stand on/,
  );
});

test("image rebase: a pushed image that says what its base was", { skip }, async () => {
  const at = `${registry.address}/bases/os`;
  await teu("copy", "-q", "containers:old-base", `docker://${at}:1`);
  const digest = await teu("digest", `${at}:1`);
  await teu("image", "append", "-q", "-t", `docker://${at}-app:1`, `docker://${at}:1`, "own-tree");
  const said = [
    "--annotation",
    `org.opencontainers.image.base.name=${at}:1`,
    "--annotation",
    `org.opencontainers.image.base.digest=${digest}`,
  ];
  await teu("image", "mutate", "-q", ...said, `docker://${at}-app:1`);
  await teu("copy", "-q", "containers:new-base", `docker://${at}:1`);
  await teu("image", "rebase", "-q", `docker://${at}-app:1`);
  const { annotations } = JSON.parse(await teu("manifest", "inspect", `${at}-app:1`)) as {
    annotations: Record<string, string>;
  };
  assert.equal(annotations["org.opencontainers.image.base.digest"], await teu("digest", `${at}:1`));
});

test("image append: a timestamp gives the same digest twice", { skip }, async () => {
  const make = (name: string): Promise<string> =>
    teu("image", "append", "-q", "--timestamp", "1000", "-t", `oci:times:${name}`, "scratch", "tree");
  const first = await make("a");
  writeFileSync(join(host.directory, "tree/etc/added"), "added\n");
  assert.equal(await make("b"), first);
});

test("image mutate: what fails leaves nothing; wrong usage is said as such", { skip }, async () => {
  writeFileSync(join(host.directory, "no.tar"), "no tar at all".repeat(100));
  await fails(["image", "append", "-t", "oci:never:v1", "base", "no.tar"], 1, /cannot read tar/);
  assert.equal(existsSync(join(host.directory, "never")), false);
  await fails(["image", "mutate", "-t", "oci:never:v1", "nowhere"], 1, /No such image/);
  await fails(["image", "append", "scratch", "tree"], 125, /no place to write to/);
  await fails(["image", "mutate", "oci:layout"], 125, /no name that can be given/);
  await fails(["image", "mutate", "--env", "A", "base"], 1, /NAME=VALUE/);
  await fails(["image", "mutate", "--compress", "lzma", "base"], 125, /not known/);
  await fails(["image", "mutate", "--timestamp", "now", "base"], 125, /no time/);
  await fails(["image", "rebase", "base"], 125, /does not say what its base is/);
});

test("umoci's changes of an image are what image diff shows, and umoci reads ours", { skip }, async (context) => {
  if (!has("umoci")) return context.skip("umoci is not installed");
  const layout = join(host.directory, "umoci");
  await teu("copy", "-q", "containers:base", "oci:umoci:v1");
  const config = ["--config.user", "1000", "--config.env", "U=1", "--config.label", "l=m", "--no-history"];
  await run("umoci", ["config", "--image", `${layout}:v1`, "--tag", "v2", ...config]);
  const lines = (await teu("image", "diff", "oci:umoci:v1", "oci:umoci:v2")).split("\n");
  assert.deepEqual(
    lines.filter((line) => !line.startsWith("S created")),
    ['S Env.U  nothing -> "1"', 'S Labels.l  nothing -> "m"', 'S User  nothing -> "1000"'],
  );
  await teu("image", "mutate", "-q", "-e", "T=2", "--remove-label", "l", "-t", "oci:umoci:v3", "oci:umoci:v2");
  const stat = JSON.parse(await run("umoci", ["stat", "--image", `${layout}:v3`, "--json"])) as { history: unknown[] };
  assert.ok(stat.history.length > 0);
  await run("umoci", ["config", "--image", `${layout}:v3`, "--tag", "v4", "--config.env", "T=3", "--no-history"]);
  assert.match(await teu("image", "diff", "oci:umoci:v3", "oci:umoci:v4"), /S Env\.T {2}"2" -> "3"/);
});

test("podman loads what was changed, flattened and imported, and the settings are there", { skip }, async (context) => {
  if (!has("podman")) return context.skip("podman is not installed");
  const places = ["--root", join(host.directory, "podman"), "--runroot", join(host.directory, "podman-run")];
  const podman = [
    ...places,
    "--tmpdir",
    join(host.directory, "podman-tmp"),
    "--storage-driver",
    "vfs",
    "--cgroup-manager",
    "cgroupfs",
    "--events-backend",
    "none",
  ];
  await teu("image", "flatten", "-q", "-t", "podman-flat", "base");
  await teu(
    "image",
    "mutate",
    "-q",
    "-e",
    "P=1",
    "--compress",
    "zstd",
    "-t",
    "oci-archive:podman.tar:podman-test:1",
    "podman-flat",
  );
  await run("podman", [...podman, "load", "-q", "-i", join(host.directory, "podman.tar")]);
  const [facts] = JSON.parse(await run("podman", [...podman, "image", "inspect", "podman-test:1"])) as [
    { Config: { Env: string[] }; RootFS: { Layers: string[] } },
  ];
  assert.ok(facts.Config.Env.includes("P=1"));
  assert.equal(facts.RootFS.Layers.length, 1);
  const back = join(host.directory, "podman-back.tar");
  await run("podman", [...podman, "save", "-q", "--format", "oci-archive", "-o", back, "podman-test:1"]);
  assert.equal(await teu("image", "diff", "--exit-code", "oci-archive:podman.tar", "oci-archive:podman-back.tar"), "");
});
