// How long does it take to unpack a Debian root file system (one layer, about 60 MB of gzip), digests of blob and content
// verified, beside umoci unpack and plain decompress-and-tar (which verify nothing)? Needs root.
// Command: npm run bench -- unpack

import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createScope } from "@teu/base/scope";
import { DiskContentStore } from "@teu/image/disk-content-store";
import { writeImageConfig, writeManifest } from "@teu/image/documents";
import { emptyImageConfig, withLayer } from "@teu/image/image-config";
import { exportLayout } from "@teu/image/layout/layout-directory";
import { applyLayer } from "@teu/image/layer/apply";
import { packLayer, type PackedLayer } from "@teu/image/layer/pack";
import { hostPlatform } from "@teu/image/platform";
import { parseReference } from "@teu/image/reference";

import { compare, type Contestant, machineLine, printTable } from "./hyperfine.ts";

const CACHE = join(import.meta.dirname, "../.cache/bench");
const scope = createScope();

/** The root file system as a tar, made once (a minute, from Debian's packages). */
function debianTar(): string {
  const path = join(CACHE, "debian.tar");
  if (existsSync(path)) return path;
  mkdirSync(CACHE, { recursive: true });
  console.log("making a Debian root file system with mmdebstrap ...");
  execFileSync("mmdebstrap", ["--variant=minbase", "bookworm", join(CACHE, "new.tar")], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  renameSync(join(CACHE, "new.tar"), path);
  return path;
}

/** One unpacking: what a contestant of ours runs as its own process. */
async function unpackOne(
  blob: string,
  mediaType: string,
  digest: string,
  diffId: string,
  target: string,
): Promise<void> {
  const source = createReadStream(blob, { highWaterMark: 1 << 20 });
  await applyLayer(scope, { source, mediaType, expectedDigest: digest, expectedDiffId: diffId, target, lower: [] });
}

interface Prepared {
  readonly layer: PackedLayer;
  readonly blob: string;
}

/** Packs the tar into a layout that umoci reads, under the compression's name as tag. */
async function prepare(directory: string, compression: "gzip" | "zstd"): Promise<Prepared> {
  const store = await DiskContentStore.open(join(directory, "store"));
  const source = createReadStream(debianTar(), { highWaterMark: 1 << 20 });
  const layer = await packLayer(scope, { source, store, compression });
  const config = await writeImageConfig(scope, store, withLayer(emptyImageConfig(hostPlatform()), layer.diffId));
  const descriptor = await writeManifest(scope, store, { config, layers: [layer.descriptor] });
  const names = [parseReference(`bench/debian:${compression}`)];
  await exportLayout(scope, store, [{ descriptor, names }], join(directory, "layout"));
  return { layer, blob: store.path(layer.descriptor.digest as never) };
}

function contestants(directory: string, { layer, blob }: Prepared, compression: "gzip" | "zstd"): Contestant[] {
  const target = join(directory, "target");
  const clean = `rm -rf ${target}`;
  const { mediaType, digest } = layer.descriptor;
  const ours = [process.execPath, import.meta.filename, "--one", blob, mediaType, digest, layer.diffId, target].join(
    " ",
  );
  const plain = `sh -c 'mkdir ${target} && ${compression} -dc < ${blob} | tar --xattrs -xpf - -C ${target}'`;
  const own = [
    { name: "teu", command: ours, prepare: clean },
    { name: `${compression} -d | tar x`, command: plain, prepare: clean },
  ];
  // umoci 0.4 knows no zstd.
  if (compression === "zstd") return own;
  const umoci = `umoci unpack --image ${join(directory, "layout")}:gzip ${target}`;
  return [...own, { name: "umoci unpack", command: umoci, prepare: clean }];
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "teu-bench-unpack-"));
  try {
    console.log(machineLine());
    for (const compression of ["gzip", "zstd"] as const) {
      const prepared = await prepare(directory, compression);
      const size = (prepared.layer.descriptor.size / 1e6).toFixed(0);
      const title = `unpack Debian, ${size} MB of ${compression}, ${(prepared.layer.uncompressedSize / 1e6).toFixed(0)} MB of tar`;
      printTable(title, compare(contestants(directory, prepared, compression), 3, 3), `${compression} -d | tar x`);
    }
    console.log("\nrepeat: npm run bench -- unpack");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const [flag, blob = "", mediaType = "", digest = "", diffId = "", target = ""] = process.argv.slice(2);
if (flag === "--one") await unpackOne(blob, mediaType, digest, diffId, target);
else await main();
