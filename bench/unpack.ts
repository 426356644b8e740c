// How long does it take to unpack a layer, digests of blob and content verified, beside umoci unpack and plain decompress-and-tar
// (which verify nothing; or digests by openssl beside them)? A Debian root file system (about 60 MB of gzip), 20,000 small files, and what 4 and 16 times as much costs.
// Needs root. igzip and umoci take part where they are installed. The data goes to a tmpfs, or where TMPDIR says: ext4 skips inodes that were
// deleted in the last minutes one by one, so that there each round costs more than the one before.
// Command: npm run bench -- unpack

import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

import { createScope } from "@teu/base/scope";
import { DiskContentStore } from "@teu/image/disk-content-store";
import { writeImageConfig, writeManifest } from "@teu/image/documents";
import { emptyImageConfig, withLayer } from "@teu/image/image-config";
import { exportLayout } from "@teu/image/layout/export-layout";
import { packLayer, type PackedLayer } from "@teu/image/layer/pack";
import { hostPlatform } from "@teu/image/platform";
import { parseReference } from "@teu/image/reference";

import { compare, type Contestant, machineLine, printTable } from "./hyperfine.ts";
import { onlyInPrivateMounts } from "./private-mounts.ts";
import { bundleProgram } from "./program.ts";
import { layerOfWords } from "./words.ts";

const ROOT = join(import.meta.dirname, "..");
const CACHE = join(ROOT, ".cache/bench");
/** coreutils' sha256sum knows nothing of the processor's instructions, and would take three times as long. */
const DIGEST = "openssl dgst -sha256";
const SMALL_FILES = 20_000;
/** One run each, in turns; the first is cold, the median is not. */
const ROUNDS = 7;
const scope = createScope();

type Compression = "gzip" | "zstd";

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

interface Prepared {
  readonly layer: PackedLayer;
  /** A content store with it, and its file there. */
  readonly store: string;
  readonly blob: string;
  /** An OCI layout that umoci reads. */
  readonly layout: string;
}

/** Where things are, and our program. */
class Workplace {
  readonly directory: string;
  readonly target: string;
  readonly #program: string;
  #count = 0;

  constructor(directory: string, program: string) {
    this.directory = directory;
    this.target = join(directory, "target");
    this.#program = program;
  }

  async prepare(tar: AsyncIterable<Uint8Array>, compression: Compression): Promise<Prepared> {
    const place = join(this.directory, `layer-${++this.#count}`);
    const store = await DiskContentStore.open(join(place, "store"));
    const layer = await packLayer(scope, { source: tar, store, compression });
    const config = await writeImageConfig(scope, store, withLayer(emptyImageConfig(hostPlatform()), layer.diffId));
    const descriptor = await writeManifest(scope, store, { config, layers: [layer.descriptor] });
    const names = [parseReference("bench/layer:v1")];
    await exportLayout(scope, store, [{ descriptor, names }], join(place, "layout"));
    return {
      layer,
      store: join(place, "store"),
      blob: store.path(layer.descriptor.digest as never),
      layout: join(place, "layout"),
    };
  }

  teu({ layer, store }: Prepared, name = "teu"): Contestant {
    const { mediaType, digest } = layer.descriptor;
    const command = [process.execPath, this.#program, store, mediaType, digest, layer.diffId, this.target].join(" ");
    return { name, command, prepare: `rm -rf ${this.target}` };
  }

  /** `decompress` reads the blob and writes the tar. */
  plain({ blob }: Prepared, decompress: string): Contestant {
    const command = `sh -c '${decompress} < ${blob} | tar --xattrs -xpf - -C ${this.target}'`;
    return { name: `${decompress.split(" ")[0]} | tar x`, command, prepare: this.#fresh() };
  }

  /** As `plain`, with the digests of blob and tar, side by side. */
  verified({ blob }: Prepared, decompress: string): Contestant {
    const unpack = `${decompress} < ${blob} | tee >(${DIGEST} >&2) | tar --xattrs -xpf - -C ${this.target}`;
    const command = `bash -c '${DIGEST} ${blob} >&2 & ${unpack}; wait'`;
    return { name: "the same, and both digests", command, prepare: this.#fresh() };
  }

  tar({ blob }: Prepared): Contestant {
    return { name: "tar -xzf", command: `tar -xzf ${blob} -C ${this.target}`, prepare: this.#fresh() };
  }

  umoci({ layout }: Prepared): Contestant {
    const command = `umoci unpack --image ${layout}:v1 ${this.target}`;
    return { name: "umoci unpack", command, prepare: `rm -rf ${this.target}` };
  }

  #fresh(): string {
    return `sh -c 'rm -rf ${this.target} && mkdir ${this.target}'`;
  }
}

function installed(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((directory) => existsSync(join(directory, program)));
}

function sizes({ layer }: Prepared, compression: Compression): string {
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
  return `${megabytes(layer.descriptor.size)} MB of ${compression}, ${megabytes(layer.uncompressedSize)} MB of tar`;
}

async function debian(place: Workplace): Promise<void> {
  for (const compression of ["gzip", "zstd"] as const) {
    const layer = await place.prepare(createReadStream(debianTar(), { highWaterMark: 1 << 20 }), compression);
    const quick = compression === "gzip" && installed("igzip") ? "igzip -dc" : `${compression} -dc`;
    const contestants = [
      place.teu(layer),
      place.plain(layer, quick),
      ...(installed("openssl") ? [place.verified(layer, quick)] : []),
    ];
    // umoci 0.4 knows no zstd.
    if (compression === "gzip" && installed("umoci")) contestants.push(place.umoci(layer));
    printTable(`Debian, ${sizes(layer, compression)}`, compare(contestants, 1, ROUNDS, 0), "teu");
  }
}

async function smallFiles(place: Workplace): Promise<void> {
  const layer = await place.prepare(layerOfWords("small", SMALL_FILES, 1000), "gzip");
  printTable(
    `${SMALL_FILES} files of 1 kB, ${sizes(layer, "gzip")}`,
    compare([place.teu(layer), place.tar(layer)], 1, ROUNDS, 0),
    "tar -xzf",
  );
}

/** Time and CPU of 1, 4 and 16 times as much. */
async function growth(place: Workplace): Promise<void> {
  const kinds = [
    { what: "entries", layer: (times: number) => layerOfWords("entries", 1250 * times, 1000) },
    { what: "bytes", layer: (times: number) => layerOfWords("bytes", 10 * times, 1_200_000) },
  ];
  for (const { what, layer } of kinds) {
    const contestants: Contestant[] = [];
    for (const times of [1, 4, 16]) contestants.push(place.teu(await place.prepare(layer(times), "gzip"), `${times}x`));
    printTable(`growth with ${what}`, compare(contestants, 1, ROUNDS, 0), "1x");
  }
}

async function main(): Promise<void> {
  onlyInPrivateMounts(import.meta.filename);
  const directory = mkdtempSync(join(tmpdir(), "teu-bench-unpack-"));
  // Ours alone, and gone with our mounts.
  if (process.env["TMPDIR"] === undefined) execFileSync("mount", ["-t", "tmpfs", "none", directory]);
  try {
    console.log(machineLine());
    const place = new Workplace(directory, await bundleProgram(directory, "unpack-one.ts"));
    await debian(place);
    await smallFiles(place);
    await growth(place);
    console.log("\nrepeat: npm run bench -- unpack");
  } finally {
    if (process.env["TMPDIR"] === undefined) execFileSync("umount", [directory]);
    rmSync(directory, { recursive: true });
  }
}

await main();
