// The standard streams of a restored container. Those that led outside at checkpoint are replaced: a pipe by ours, a file by ours if it is of
// the same kind, the null device by the host's. A path out of the images is never opened: they may come from anywhere.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_EMPTY_PATH, AT_FDCWD, O_CLOEXEC, O_RDWR, S_IFMT } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { openNull } from "../masks.ts";
import type { StandardStream } from "./facts.ts";

/** CRIU's key of a stream and the fd of this process that takes its place. */
export interface Replacement {
  readonly key: string;
  readonly fd: number;
}

/** Finds them. Throws `invalid` when ours is another kind of file: CRIU would refuse it later, in words about "fd/1". */
export function replaceStreams(kernel: Kernel, streams: readonly (StandardStream | null)[]): Replacement[] {
  const out = new Map<string, Replacement>();
  let nothing = -1;
  for (const [fd, stream] of streams.entries()) {
    if (stream === null) continue;
    const { goal, external, mode } = stream;
    if (goal === "/dev/null") {
      nothing = nothing < 0 ? openNullDevice(kernel) : nothing;
      out.set(external, { key: external, fd: nothing });
      continue;
    }
    if (mode !== 0 && kernel.fs.statAt(fd, "", AT_EMPTY_PATH).mode !== mode) throw otherKind(fd, stream);
    out.set(external, { key: external, fd });
  }
  return [...out.values()];
}

/** Checked to be 1:3. */
function openNullDevice(kernel: Kernel): number {
  const path = openNull(kernel);
  try {
    return kernel.fs.openat(AT_FDCWD, `/proc/self/fd/${path}`, O_RDWR | O_CLOEXEC, 0);
  } finally {
    kernel.fs.close(path);
  }
}

function otherKind(fd: number, { goal, mode }: StandardStream): TeuError {
  const kinds: Readonly<Record<number, string>> = {
    0o100000: "a file",
    0o020000: "a character device",
    0o010000: "a FIFO",
  };
  const kind = kinds[mode & S_IFMT] ?? "something";
  return new TeuError({
    code: "invalid",
    op: "restore standard stream",
    subject: String(fd),
    message: `at checkpoint it was ${kind} of mode ${(mode & 0o7777).toString(8)} (${JSON.stringify(goal)}), now it is not`,
    hint: "start restore with such a one, or use pipes",
  });
}
