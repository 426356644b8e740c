// Progress of copies, in the words that pull and push have too.

import type { CopyEvent } from "@teu/image/transport/copy-image";
import type { CommandContext } from "../command.ts";
import { transferProgress } from "./transfer-progress.ts";

/** Takes events of copies; disposing leaves the terminal tidy. */
interface CopyProgress extends Disposable {
  readonly copied: (event: CopyEvent) => void;
}

/** Shows copies on stderr while it is not disposed. */
export function copyProgress(context: CommandContext, quiet: boolean): CopyProgress {
  const progress = transferProgress(context.io.stderr, { quiet, dumb: context.environment.term === "dumb" });
  return {
    copied: ({ kind, digest, size, offset }) =>
      progress.event(
        kind === "present" || kind === "mounted"
          ? { kind: "exists", id: digest, total: size }
          : { kind: "copy", id: digest, current: offset, total: size },
      ),
    [Symbol.dispose]: () => progress[Symbol.dispose](),
  };
}
