// Progress of layers that are read and packed before anything is copied: on a terminal only, as nothing of it has an end to tell of.

import type { CommandContext } from "../command.ts";
import { type TransferEvent, transferProgress } from "./transfer-progress.ts";

/** Takes events until it is disposed; later ones are of the copy that follows, which has a progress of its own. */
export interface PackProgress extends Disposable {
  readonly event: (event: TransferEvent) => void;
}

/** Shows packing on stderr while it is not disposed. */
export function packProgress({ io: { stderr }, environment }: CommandContext, quiet: boolean): PackProgress {
  const isShown = !quiet && stderr.isTTY && environment.term !== "dumb";
  const progress = transferProgress(stderr, { quiet: !isShown, dumb: false });
  let over = false;
  return {
    event: (event) => {
      if (!over) progress.event(event);
    },
    [Symbol.dispose]: () => {
      if (!over) progress[Symbol.dispose]();
      over = true;
    },
  };
}
