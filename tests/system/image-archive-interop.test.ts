// Archives and layouts between teu, podman, buildah and containerd: what each saves the other loads as the same image, by its id and by what its
// layers hold. Signatures that lie in an archive beside the image are no images, and in nobody's way.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";

import { createScope } from "@teu/base/scope";
import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { writeManifest } from "@teu/image/documents";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference } from "@teu/image/reference";
import { Registry } from "@teu/registry/registry";
import { EMPTY_DESCRIPTOR, type ImageIndex } from "@teu/specs/image";
import { put, randomImage } from "@teu/testkit/random-image";

import { CliHost, UNABLE } from "./cli-harness.ts";
import { obstacle, Sandbox, startContainerd } from "./dropin-harness.ts";

const NAME = "localhost/team/app:v1";
let host: CliHost;
let id = "";
/** What peers keep. buildah makes names of paths, and names are lower-case. */
let peers = "";
before(async () => {
  if (UNABLE !== undefined) return;
  host = await CliHost.open();
  peers = join(tmpdir(), `teu-interop-${process.pid}`);
  mkdirSync(peers);
  const context = host.context("app", { Dockerfile: 'FROM base\nCOPY a /a\nENV X=y\nCMD ["/bin/sh"]', a: "a" });
  await host.ok(["build", "-q", "--network", "none", "-t", NAME, context]);
  id = await idOf();
  await host.ok(["save", "--format", "oci-archive", "-o", join(host.directory, "pristine.tar"), NAME]);
});
// What a peer made of the image, its types among it, is not for the next test.
beforeEach(async () => {
  if (UNABLE !== undefined) return;
  await host.teu(["rmi", "-f", NAME]);
  await host.ok(["load", "-q", "-i", join(host.directory, "pristine.tar")]);
});
after(async () => {
  if (UNABLE === undefined) await host[Symbol.asyncDispose]();
  if (peers !== "") rmSync(peers, { recursive: true, force: true });
});

/** The image's id without its algorithm, as all these tools have it. */
async function idOf(): Promise<string> {
  return (await host.ok(["inspect", "--type", "image", "-f", "{{.Id}}", NAME])).replace("sha256:", "");
}

function missing(program: string): string | false {
  if (UNABLE !== undefined) return UNABLE;
  return existsSync(`/usr/bin/${program}`) ? false : `${program} is not installed`;
}

/** Runs podman or buildah with storage of its own. */
function peer(program: string, ...args: readonly string[]): string {
  const places = ["--root", join(peers, "storage"), "--runroot", join(peers, "run")];
  const done = spawnSync(program, [...places, "--storage-driver", "vfs", ...args], {
    cwd: host.directory,
    encoding: "utf8",
    env: { ...process.env, TMPDIR: host.directory },
  });
  assert.equal(done.status, 0, `${program} ${args.join(" ")}: ${done.stderr}`);
  return done.stdout.trim();
}

function forget(program: string): void {
  peer(program, "rmi", "-f", NAME);
}

for (const [format, forms] of [
  ["docker-archive", ["docker-archive", "docker-dir"]],
  ["oci-archive", ["oci-archive", "oci-dir"]],
] as const) {
  test(`podman loads our ${format}, and saves it in two forms that we read`, { skip: missing("podman") }, async () => {
    const ours = join(host.directory, `${format}.tar`);
    await host.ok(["save", "--format", format, "-o", ours, NAME]);
    peer("podman", "load", "-q", "-i", ours);
    assert.equal(peer("podman", "image", "inspect", "--format", "{{.Id}}", NAME), id);
    for (const saved of forms) {
      const target = join(host.directory, `theirs-${saved}`);
      rmSync(target, { recursive: true, force: true });
      peer("podman", "save", "-q", "--format", saved, "-o", target, NAME);
      await host.ok(["rmi", "-f", NAME]);
      if (saved.endsWith("archive")) await host.ok(["load", "-q", "-i", target]);
      else await host.ok(["copy", "-q", `${saved === "oci-dir" ? "oci" : "dir"}:${target}`, `containers:${NAME}`]);
      assert.equal(await idOf(), id, saved);
      assert.equal(await host.ok(["run", "--rm", "--network", "none", NAME, "cat", "/a"]), "a", saved);
    }
    forget("podman");
  });
}

test(
  "buildah pulls our archive, layout and directory, and pushes to such as we read",
  { skip: missing("buildah") },
  async () => {
    const at = (name: string): string => join(peers, name);
    for (const transport of ["docker-archive", "oci-archive", "oci", "dir"]) {
      const ours = `${transport}:${at(`to-buildah-${transport}`)}`;
      const tagged = transport === "oci" || transport === "oci-archive" ? `${ours}:v1` : ours;
      await host.ok(["copy", "-q", `containers:${NAME}`, tagged]);
      const found = peer("buildah", "pull", "-q", "--policy", "always", tagged);
      assert.equal(found, id, transport);
      peer("buildah", "tag", id, NAME);
      const theirs = `${transport}:${at(`from-buildah-${transport}`)}`;
      const target = transport === "oci" || transport === "oci-archive" ? `${theirs}:v1` : theirs;
      peer("buildah", "push", "-q", ...(transport === "dir" ? ["--format", "oci"] : []), NAME, target);
      await host.ok(["rmi", "-f", NAME]);
      await host.ok(["copy", "-q", target, `containers:${NAME}`]);
      assert.equal(await host.ok(["run", "--rm", "--network", "none", NAME, "cat", "/a"]), "a", transport);
      assert.equal(await idOf(), id, transport);
      forget("buildah");
    }
  },
);

test(
  "containerd imports both archives under our digest, and what it exports we load",
  { skip: UNABLE ?? obstacle("/usr/bin/containerd", "/usr/bin/ctr") },
  async () => {
    using sandbox = new Sandbox();
    const address = startContainerd(sandbox);
    const ctr = (...args: readonly string[]): string => {
      const done = sandbox.run("/usr/bin/ctr", ["--address", address, "--namespace", "teu", "images", ...args]);
      assert.equal(done.code, 0, done.all);
      return done.out;
    };
    const manifest = await host.ok(["digest", `containers:${NAME}`]);
    for (const format of ["docker-archive", "oci-archive"] as const) {
      const [ours, theirs] = [join(sandbox.directory, `ours-${format}`), join(sandbox.directory, `theirs-${format}`)];
      await host.ok(["save", "--format", format, "-o", ours, NAME]);
      ctr("import", ours);
      const line = ctr("ls", `name==${NAME}`).split("\n").at(-1) ?? "";
      assert.deepEqual([line.split(/\s+/)[0], line.split(/\s+/)[2]], [NAME, manifest], format);
      ctr("export", theirs, NAME);
      ctr("rm", NAME);
      await host.ok(["rmi", "-f", NAME]);
      await host.ok(["load", "-q", "-i", theirs]);
      assert.equal(await host.ok(["digest", `containers:${NAME}`]), manifest, format);
      assert.equal(await idOf(), id);
    }
  },
);

test(
  "an archive with signatures beside the image: the image is loaded, the signatures are none",
  { skip: UNABLE },
  async () => {
    const scope = createScope();
    await using registry = await Registry.listen({ root: join(host.directory, "registry") });
    await using client = new RegistryClient();
    const store = new MemoryContentStore();
    const { descriptor } = await randomImage(scope, store, { layers: 1 });
    await put(scope, store, Buffer.from("{}"), EMPTY_DESCRIPTOR.mediaType);
    const layer = await put(scope, store, Buffer.from("signature"), "application/x-signature");
    const { digest, size, mediaType } = descriptor;
    const signature = await writeManifest(scope, store, {
      artifactType: "application/x-signature",
      config: EMPTY_DESCRIPTOR,
      layers: [layer],
      subject: { digest, size, mediaType },
    });
    const name = `${registry.address}/app:v1`;
    const reference = parseReference(name);
    await pushImage(scope, { client, reference, store, descriptor });
    const { domain, repository } = reference;
    const byDigest = parseReference(`${domain}/${repository}@${signature.digest}`);
    await pushImage(scope, { client, reference: byDigest, store, descriptor: signature });
    await host.ok(["copy", "-q", "--referrers", name, `oci-archive:${join(host.directory, "signed.tar")}:v1`]);
    mkdirSync(join(host.directory, "signed"));
    spawnSync("tar", ["-xf", "signed.tar", "-C", "signed"], { cwd: host.directory });
    const index = JSON.parse(readFileSync(join(host.directory, "signed/index.json"), "utf8")) as ImageIndex;
    assert.equal(index.manifests.length, 2, "image and signature");
    const said = await host.ok(["load", "-q", "-i", join(host.directory, "signed.tar")]);
    assert.match(said, /^Loaded image ID: sha256:[0-9a-f]{64}$/);
    const alone = await host.teu(["pull", "-q", `${domain}/${repository}@${signature.digest}`]);
    assert.match(alone.stderr, /it is an artifact \(application\/x-signature\), not an image/);
  },
);
