// How long does it take to make a compressed layer, with both digests, of an overlay upper directory with 5,000 changed files,
// beside tar and gzip (which compute no digest)? And of 1, 4 and 16 times 312 files? Needs root.
// TMPDIR says where the data goes. Command: npm run bench -- diff

import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createScope } from "@teu/base/scope";
import { applyLayer } from "@teu/image/layer/apply";
import { MEDIA_TYPES } from "@teu/specs/image";

import { compare, type Contestant, machineLine, printTable } from "./hyperfine.ts";
import { bundleProgram } from "./program.ts";
import { layerOfWords } from "./words.ts";

const FILES = 5000;
const BYTES = 10_000;
const SMALLEST = 312;
/** One run each, in turns; the first is cold, the median is not. */
const ROUNDS = 7;
const scope = createScope();

class Workplace {
  readonly #directory: string;
  readonly #program: string;

  constructor(directory: string, program: string) {
    this.#directory = directory;
    this.#program = program;
  }

  get #store(): string {
    return join(this.#directory, "store");
  }

  async upper(files: number): Promise<string> {
    const target = join(this.#directory, `upper-${files}`);
    const source = layerOfWords("changed", files, BYTES);
    await applyLayer(scope, { source, mediaType: MEDIA_TYPES.layer, target, lower: [] });
    return target;
  }

  teu(upper: string, name: string = "teu"): Contestant {
    const command = [process.execPath, this.#program, upper, this.#store].join(" ");
    return { name, command, prepare: `rm -rf ${this.#store}` };
  }

  tar(upper: string): Contestant {
    const out = join(this.#directory, "out.tar.gz");
    const command = `sh -c 'tar --numeric-owner --xattrs -C ${upper} -cf - . | gzip -6 > ${out}'`;
    return { name: "tar | gzip -6", command, prepare: `rm -f ${out}` };
  }

  /** Size of what each made last. */
  sizes(): string {
    const blobs = join(this.#store, "blobs/sha256");
    const own = readdirSync(blobs).reduce((sum, name) => sum + statSync(join(blobs, name)).size, 0);
    return `teu's layer: ${own} bytes, tar and gzip's: ${statSync(join(this.#directory, "out.tar.gz")).size}`;
  }
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "teu-bench-diff-"));
  try {
    console.log(machineLine());
    const place = new Workplace(directory, await bundleProgram(directory, "diff-one.ts"));
    const upper = await place.upper(FILES);
    const measured = compare([place.teu(upper), place.tar(upper)], 1, ROUNDS, 0);
    printTable(`layer of ${FILES} changed files of ${BYTES} bytes`, measured, "tar | gzip -6");
    console.log(`\n${place.sizes()}`);
    const contestants: Contestant[] = [];
    for (const times of [1, 4, 16]) contestants.push(place.teu(await place.upper(SMALLEST * times), `${times}x`));
    printTable("growth with entries and bytes", compare(contestants, 1, ROUNDS, 0), "1x");
    console.log("\nrepeat: npm run bench -- diff");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

await main();
