// The black-box cases in which the runtime opens what is in a root, where openat2(2) is missing. Needs root and gcc.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import type { RuntimeCase } from "../../conformance/runtime/case.ts";
import { cases as sockets } from "../../conformance/runtime/callers/sockets.ts";
import { cases as attributes } from "../../conformance/runtime/filesystem/attributes.ts";
import { cases as links } from "../../conformance/runtime/filesystem/links.ts";
import { cases as mounts } from "../../conformance/runtime/filesystem/mounts.ts";
import { cases as namespaces } from "../../conformance/runtime/namespaces/isolation.ts";
import { runCase } from "../../conformance/runtime/run.ts";
import { cases as breakout } from "../../conformance/runtime/security/breakout.ts";
import { cases as paths } from "../../conformance/runtime/security/paths.ts";
import { cases as swaps } from "../../conformance/runtime/security/swaps.ts";
import { withoutOpenat2 } from "../../conformance/runtime/without-openat2.ts";

const runtime = fileURLToPath(new URL("../../bin/teu-runtime", import.meta.url));
const obstacle = process.getuid?.() !== 0 ? "needs root" : !existsSync(runtime) ? `${runtime} is not built` : undefined;

const CHOSEN: Readonly<Record<"ENOSYS" | "EPERM", readonly RuntimeCase[]>> = {
  ENOSYS: [...mounts, ...attributes, ...links, ...namespaces, ...breakout, ...paths, ...swaps, ...sockets],
  EPERM: paths,
};

for (const errno of ["ENOSYS", "EPERM"] as const) {
  let filtered = "";
  for (const one of CHOSEN[errno])
    test(`runtime with ${errno} for openat2: ${one.name}`, { skip: obstacle ?? false }, (context) => {
      filtered ||= withoutOpenat2(runtime, errno);
      const { status, reason } = runCase(one, filtered);
      if (status === "skipped") context.skip(reason);
      else assert.equal(status, "passed", reason);
    });
}
