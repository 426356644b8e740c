// One unpacking, both digests verified: the program that the benchmark of unpacking runs, built as the command line is.

import { createReadStream } from "node:fs";

import { createScope } from "@teu/base/scope";
import { exitNow } from "@teu/files/process";
import { fitThreadPool } from "@teu/files/thread-pool";
import { applyLayer } from "@teu/image/layer/apply";

const [blob = "", mediaType = "", expectedDigest = "", expectedDiffId = "", target = ""] = process.argv.slice(2);
fitThreadPool(process.env);
const source = createReadStream(blob, { highWaterMark: 1 << 20 });
// No await at the top: it is built as CommonJS. A failure ends the program as an unhandled rejection; the end is the command line's.
void applyLayer(createScope(), { source, mediaType, expectedDigest, expectedDiffId, target, lower: [] }).then(() =>
  exitNow(0),
);
