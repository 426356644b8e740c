// Every black-box case of conformance/runtime against our runtime, or the one that RUNTIME names. Needs root.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { ALL, runCase } from "../../conformance/runtime/run.ts";

const runtime = process.env["RUNTIME"] ?? fileURLToPath(new URL("../../bin/teu-runtime", import.meta.url));
const obstacle = process.getuid?.() !== 0 ? "needs root" : !existsSync(runtime) ? `${runtime} is not built` : undefined;

for (const one of ALL) {
  const name = one.cve === undefined ? one.name : `${one.name} (${one.cve})`;
  test(`runtime conformance: ${name}`, { skip: obstacle ?? false }, (context) => {
    const { status, reason } = runCase(one, runtime);
    if (status === "skipped") context.skip(reason);
    else assert.equal(status, "passed", reason);
  });
}
