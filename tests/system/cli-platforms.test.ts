// Images for several platforms on one host: which one a command takes, and what happens when it is not here.
// Every image holds this host's busybox and its own name, so that all of them run and say which they are.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { digestOf } from "@teu/image/digest";
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

/** Architectures of what a name stands for here. */
async function here(name: string): Promise<readonly string[]> {
  const rows = await host.ok(["images", "--format", "{{.Platform}}", name]);
  return rows === "" ? [] : rows.split("\n").map((row) => row.replace("linux/", ""));
}

/** Takes all images away, so that no name of another test is among those that are looked at. */
async function forget(): Promise<void> {
  const ids = await host.ok(["images", "-aq", "--no-trunc"]);
  if (ids !== "") await host.ok(["rmi", "-f", ...new Set(ids.split("\n"))]);
}

test("save and load: an index with the platforms that are asked for, or all", { skip }, async () => {
  const file = (name: string): string => join(host.directory, name);
  const inIt = async (place: string): Promise<readonly string[]> => {
    const found: string[] = [];
    for (const architecture of ARCHITECTURES)
      if (
        (
          await host.teu([
            "copy",
            "-q",
            "--platform",
            architecture,
            place,
            `dir:${file(`${architecture}-${found.length}`)}`,
          ])
        ).code === 0
      )
        found.push(architecture);
    for (const [at, architecture] of found.entries()) rmSync(file(`${architecture}-${at}`), { recursive: true });
    return found;
  };
  await forget();
  await host.ok(["pull", "-q", "--all-platforms", list]);
  await host.ok(["save", "--all-platforms", "--format", "oci-archive", "-o", file("all.tar"), list]);
  await host.ok(["save", "--platform", `linux/${own},linux/${other}`, "-o", file("both.tar"), list]);
  await host.ok(["save", "--platform", `linux/${other}`, "-o", file("other.tar"), list]);
  await host.ok(["save", "-o", file("own.tar"), list]);
  assert.deepEqual(await inIt(`oci-archive:${file("all.tar")}`), ARCHITECTURES);
  assert.deepEqual(await inIt(`oci-archive:${file("both.tar")}`), ARCHITECTURES);
  assert.equal(await host.ok(["digest", `oci-archive:${file("all.tar")}`]), await host.ok(["digest", list]));
  const nowhere = await host.teu(["save", "--platform", "mips64le", "-o", file("none.tar"), list]);
  assert.match(nowhere.stderr, /not for linux\/mips64le/);
  assert.equal(existsSync(file("none.tar")), false);
  for (const [name, flags, wanted] of [
    ["all.tar", [], ARCHITECTURES],
    ["both.tar", [], ARCHITECTURES],
    ["other.tar", [], [other]],
    ["own.tar", [], [own]],
    ["all.tar", ["--platform", `linux/${other}`], [other]],
    ["both.tar", ["--platform", own, "--platform", other], ARCHITECTURES],
  ] as const) {
    await host.teu(["rmi", "-f", list]);
    assert.equal(await host.ok(["load", "-q", ...flags, "-i", file(name)]), `Loaded image: ${list}`);
    assert.deepEqual([...(await here(list))].toSorted(), [...wanted].toSorted(), `${name} ${flags.join()}`);
  }
  await host.ok(["rmi", list]);
  for (const name of ["own.tar", "all.tar"]) {
    const refused = await host.teu(["load", "-q", "--platform", "mips64le", "-i", file(name)]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /no image for linux\/mips64le in it\n.*it holds/);
  }
  assert.deepEqual(await here(list), []);
});

test("load: an archive as BuildKit writes it, with attestations beside the images", { skip }, async () => {
  await forget();
  const layout = join(host.directory, "buildkit");
  await host.ok(["copy", "-q", "--all", list, `oci:${layout}:local/built:v1`]);
  const blob = (value: object): { digest: string; size: number } => {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = digestOf(bytes);
    writeFileSync(join(layout, "blobs/sha256", digest.slice(7)), bytes);
    return { digest, size: bytes.length };
  };
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")) as { manifests: { digest: string }[] };
  const hex = (index.manifests[0]?.digest ?? "").slice(7);
  const inner = JSON.parse(readFileSync(join(layout, "blobs/sha256", hex), "utf8")) as { manifests: object[] };
  const statement = { mediaType: "application/vnd.in-toto+json", ...blob({ _type: "statement" }) };
  const config = {
    mediaType: "application/vnd.oci.image.config.v1+json",
    ...blob({ architecture: "unknown", os: "unknown", rootfs: { type: "layers", diff_ids: [statement.digest] } }),
  };
  const attestation = blob({ schemaVersion: 2, mediaType, config, layers: [statement] });
  inner.manifests.push({
    mediaType,
    ...attestation,
    annotations: { "vnd.docker.reference.type": "attestation-manifest" },
    platform: { architecture: "unknown", os: "unknown" },
  });
  const outer = { mediaType: "application/vnd.oci.image.index.v1+json", ...blob(inner) };
  const annotations = {
    "io.containerd.image.name": "docker.io/local/built:v1",
    "org.opencontainers.image.ref.name": "v1",
  };
  writeFileSync(
    join(layout, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...outer, annotations }] }),
  );
  execFileSync("tar", ["-cf", `${layout}.tar`, "-C", layout, "."]);
  assert.equal(await host.ok(["load", "-q", "-i", `${layout}.tar`]), "Loaded image: local/built:v1");
  assert.deepEqual([...(await here("local/built:v1"))].toSorted(), [...ARCHITECTURES].toSorted());
  // Whole, attestations too: its digest stays when it is pushed.
  const pushed = `${registry.address}/platforms/built:v1`;
  await host.ok(["tag", "local/built:v1", pushed]);
  await host.ok(["push", "-q", pushed]);
  assert.equal(await host.ok(["digest", pushed]), outer.digest);
  await host.ok(["rmi", "local/built:v1", pushed]);
});

test("push, inspect and rmi --platform: one image of those that a name stands for", { skip }, async () => {
  await forget();
  await host.ok(["pull", "-q", "--all-platforms", list]);
  const one = `${registry.address}/platforms/single:v1`;
  await host.ok(["tag", list, one]);
  await host.ok(["push", "-q", "--platform", `linux/${other}`, one]);
  assert.equal(await host.ok(["digest", one]), await host.ok(["digest", "--platform", other, list]));
  assert.equal((await host.teu(["push", "--platform", "mips64le", one])).code, 1);
  for (const architecture of ARCHITECTURES)
    assert.equal(
      await host.ok(["image", "inspect", "--platform", `linux/${architecture}`, "-f", "{{.Architecture}}", list]),
      architecture,
    );
  const ids = new Set<string>();
  for (const architecture of ARCHITECTURES) {
    const lines = await host.ok(["history", "--platform", architecture, "--no-trunc", "--format", "{{.ID}}", list]);
    ids.add(lines.split("\n")[0] ?? "");
  }
  assert.equal(ids.size, ARCHITECTURES.length);
  for (const verb of ["inspect", "history"])
    assert.match((await host.teu(["image", verb, "--platform", "mips64le", list])).stderr, /not for linux\/mips64le/);
  // Two names of one index; the image goes from both, which stay.
  assert.match(await host.ok(["rmi", "--platform", `linux/${own}`, list]), /^Deleted: sha256:/);
  for (const name of [list, one]) assert.deepEqual(await here(name), [other]);
  assert.equal((await host.teu(["rmi", "--platform", `linux/${own}`, list])).code, 1);
  assert.match(await host.ok(["rmi", "--platform", `linux/${other}`, list]), new RegExp(`^Untagged: ${list}`));
  await host.ok(["rmi", one]);
  assert.deepEqual(await here(one), []);
  // With a name of its own it stays, and only leaves the index.
  await host.ok(["pull", "-q", "--all-platforms", list]);
  const id = await host.ok(["image", "inspect", "--platform", other, "-f", "{{.Id}}", list]);
  await host.ok(["tag", id, "local/own-name"]);
  assert.equal(await host.ok(["rmi", "--platform", other, list]), "");
  assert.deepEqual(await here(list), [own]);
  assert.deepEqual(await here("local/own-name"), [other]);
  await host.ok(["rmi", list, "local/own-name"]);
});
