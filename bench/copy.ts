// How long does it take to copy an image of ten layers, 200 MB, from one OCI layout to another on the same file system, and how long
// to push it? Beside skopeo, which verifies as we do, and crane, which does not; for the copy `cp` and the start of our command line,
// which do neither; crane and `cp` also behind openssl, which computes the digests. podman pushes from its storage, so it makes the layers' archives anew. From warm caches; each push goes to a new
// repository. Needs root, and skopeo, crane (in PATH), podman, openssl and docker-registry; what is missing is left out. TMPDIR says where the
// data goes.
// Command: npm run bench -- copy

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

import { createScope } from "@teu/base/scope";
import { DiskContentStore } from "@teu/image/disk-content-store";
import { exportLayout } from "@teu/image/layout/export-layout";
import { parseReference } from "@teu/image/reference";
import { noDockerRegistry } from "@teu/testkit/docker-registry";

import { compare, type Contestant, machineLine, printTable } from "./hyperfine.ts";
import { onlyInPrivateMounts } from "./private-mounts.ts";
import { ours, type Place, TEU, theirs } from "./registry-places.ts";
import { LAYERS, makeImage } from "./transfer-parts.ts";

const ROUNDS = 7;
/** podman compresses the layers again. */
const PUSH_ROUNDS = 3;
/** Where skopeo and podman remember which repository has a blob: they would mount it from there instead of sending it. */
const MEMORY = "/var/lib/containers/cache";
const scope = createScope();
const skopeo = existsSync("/usr/bin/skopeo");
const podman = existsSync("/usr/bin/podman");
const openssl = existsSync("/usr/bin/openssl");
const crane = (process.env["PATH"] ?? "").split(delimiter).some((place) => existsSync(join(place, "crane")));

function copies(layout: string, target: string): Contestant[] {
  const prepare = `rm -rf ${target}`;
  const contestants = [
    { name: "teu copy", command: `${TEU} copy --quiet oci:${layout}:v1 oci:${target}:v1`, prepare },
    { name: "teu version", command: `${TEU} version` },
    { name: "cp -r", command: `cp -r ${layout} ${target}`, prepare },
  ];
  if (openssl) {
    const command = `sh -c '${digestsOf(layout)}; cp -rl ${layout} ${target}'`;
    contestants.push({ name: "the digest of each blob, and cp -rl", command, prepare });
  }
  if (skopeo)
    contestants.push({ name: "skopeo copy", command: `skopeo copy -q oci:${layout}:v1 oci:${target}:v1`, prepare });
  return contestants;
}

/** The digests of all blobs, on both processors. */
function digestsOf(layout: string): string {
  return `ls ${layout}/blobs/sha256/* | xargs -P 2 -n 3 openssl dgst -sha256`;
}

/** `$$` makes a repository of its own of each. */
function pushes(directory: string, layout: string, host: string): Contestant[] {
  const named = (name: string, command: string): Contestant => ({
    name,
    command: `sh -c '${command}'`,
    prepare: `sh -c 'rm -rf ${MEMORY}/*'`,
  });
  const contestants = [
    named("teu copy", `${TEU} copy --quiet --dest-tls-verify=false oci:${layout}:v1 docker://${host}/t$$/image:v1`),
    { name: "teu version", command: `${TEU} version` },
  ];
  if (crane) {
    const push = `crane push ${layout} ${host}/c$$/image:v1`;
    contestants.push(named("crane push", push));
    if (openssl) contestants.push(named("the digest of each blob, and crane push", `${digestsOf(layout)}; ${push}`));
  }
  if (skopeo)
    contestants.push(
      named("skopeo copy", `skopeo copy -q --dest-tls-verify=false oci:${layout}:v1 docker://${host}/s$$/image:v1`),
    );
  if (podman)
    contestants.push(
      named("podman push", `${podmanAt(directory)} push -q --tls-verify=false bench ${host}/p$$/image:v1`),
    );
  return contestants;
}

function podmanAt(directory: string): string {
  return `podman --root ${join(directory, "p")} --runroot ${join(directory, "pr")} --storage-driver vfs`;
}

/** Gives podman the image, by way of the registry: its name for an image from a layout is made of the path. */
function loadPodman(directory: string, layout: string, host: string): void {
  const name = `${host}/first/image:v1`;
  const root = podmanAt(directory);
  const sh = (command: string): string => execFileSync("sh", ["-c", command], { encoding: "utf8" });
  sh(`${TEU} copy --quiet --dest-tls-verify=false oci:${layout}:v1 docker://${name}`);
  sh(`${root} pull --quiet --tls-verify=false ${name}`);
  sh(`${root} tag ${name} bench`);
}

async function main(): Promise<void> {
  onlyInPrivateMounts(import.meta.filename);
  mkdirSync(MEMORY, { recursive: true });
  // Ours alone, and gone with our mounts.
  execFileSync("mount", ["-t", "tmpfs", "none", MEMORY]);
  const directory = mkdtempSync(join(tmpdir(), "teub-"));
  try {
    console.log(machineLine());
    const store = await DiskContentStore.open(join(directory, "store"));
    const layout = join(directory, "layout");
    const names = [parseReference("bench/image:v1")];
    await exportLayout(scope, store, [{ descriptor: await makeImage(store), names }], layout);
    const copied = compare(copies(layout, join(directory, "copy")), 1, ROUNDS, 0);
    printTable(`copy of ${LAYERS} layers between layouts`, copied, "teu copy");
    const places: ((directory: string) => Promise<Place>)[] = [ours];
    if (noDockerRegistry() === false) places.push(theirs);
    for (const open of places) {
      await using place = await open(directory);
      if (podman) loadPodman(directory, layout, place.host);
      const pushed = compare(pushes(directory, layout, place.host), 1, PUSH_ROUNDS, 0);
      printTable(`push of ${LAYERS} layers to ${place.name}`, pushed, "teu copy");
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  console.log("\nrepeat: npm run bench -- copy");
}

await main();
