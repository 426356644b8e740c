// What the chapters of the demonstration share.

import type { ChildProcess } from "node:child_process";
import type { Screen } from "./screen.ts";
import type { Teu } from "./teu.ts";

/** The demonstration so far. */
export interface Story {
  /** Everything is in here and goes with it. */
  readonly directory: string;
  readonly screen: Screen;
  readonly teu: Teu;
  readonly signal: AbortSignal;
  /** What has been looked at and found true. */
  readonly proofs: string[];
  /** The registry while it serves. */
  registry: ChildProcess | null;
  /** Name of the image in the registry: "127.0.0.1:PORT/hello:1". */
  reference: string;
  /** Digest of its manifest, as pushed. */
  digest: string;
}
