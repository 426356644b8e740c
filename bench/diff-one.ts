// One layer made of an overlay upper directory: the program that the benchmark of making layers runs, built as the command line is.

import { createScope } from "@teu/base/scope";
import { DiskContentStore } from "@teu/image/disk-content-store";
import { diffOverlay } from "@teu/image/layer/diff";
import { packLayer } from "@teu/image/layer/pack";

const [upper = "", directory = ""] = process.argv.slice(2);

/** No await at the top: it is built as CommonJS. A failure ends the program as an unhandled rejection. */
async function main(): Promise<void> {
  const scope = createScope();
  const store = await DiskContentStore.open(directory);
  await packLayer(scope, { source: diffOverlay(scope, { upper, lower: [] }), store, compression: "gzip" });
}

void main();
