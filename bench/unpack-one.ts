// One unpacking, both digests verified: the program that the benchmark of unpacking runs, built as the command line is.

import { createScope } from "@teu/base/scope";
import { exitNow } from "@teu/files/process";
import { fitThreadPool } from "@teu/files/thread-pool";
import { ChunkMemory } from "@teu/image/chunk-memory";
import { parseDigest } from "@teu/image/digest";
import { DiskContentStore } from "@teu/image/disk-content-store";
import { applyLayer } from "@teu/image/layer/apply";

const [store = "", mediaType = "", expectedDigest = "", expectedDiffId = "", target = ""] = process.argv.slice(2);
fitThreadPool(process.env);
// No await at the top: it is built as CommonJS. A failure ends the program as an unhandled rejection; the end is the command line's.
void unpack().then(() => exitNow(0));

/** As the engine does it with a layer in its content store. */
async function unpack(): Promise<void> {
  const scope = createScope();
  const content = await DiskContentStore.open(store);
  const source = content.read(scope, parseDigest(expectedDigest), { unverified: true, memory: new ChunkMemory() });
  await applyLayer(scope, { source, mediaType, expectedDigest, expectedDiffId, target, lower: [] });
}
