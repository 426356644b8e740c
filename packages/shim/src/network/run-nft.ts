// Hands a batch to nft(8), the one program besides the runtime that the shim runs.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, X_OK } from "@teu/sys/constants/fs";
import type { Task } from "../loop/task.ts";
import { runProgram } from "../process/run-program.ts";
import type { ProgramHost } from "../process/run-program.ts";

const PLACES = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/bin/nft", "/usr/local/sbin/nft"];
const LIMIT_MS = 30_000;
const MFD_CLOEXEC = 1;

/**
 * Applies a batch: all of it or nothing.
 * @throws TeuError `unsupported` when there is no nft; `internal` with its words when it refuses.
 */
export function* runNft(host: ProgramHost, batch: string): Task<void> {
  const { kernel } = host;
  const path = PLACES.find((place) => kernel.fs.accessAt(AT_FDCWD, place, X_OK));
  if (path === undefined) {
    throw new TeuError({
      code: "unsupported",
      op: "set up port rules",
      message: `no nft program in ${PLACES.join(", ")}`,
      hint: "install nftables, or use --network none or host",
    });
  }
  // A file, not a pipe: a batch of any length is there at once.
  const input = kernel.fs.memfdCreate("nft", MFD_CLOEXEC);
  try {
    kernel.fs.write(input, batch);
    kernel.fs.lseek(input, 0, 0);
    const { ending, output } = yield* runProgram(host, {
      op: "set up port rules",
      path,
      argv: ["nft", "-f", "-"],
      env: ["LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
      milliseconds: LIMIT_MS,
      input,
    });
    if (ending.code === 0) return;
    const message = output.trim().split("\n").slice(0, 4).join("; ") || `status ${ending.code}`;
    throw new TeuError({ code: "internal", op: "set up port rules", message: `nft: ${message}` });
  } finally {
    kernel.fs.close(input);
  }
}
