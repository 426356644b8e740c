// What a build is asked for and what it gives: the face of this package.

import type { Digest } from "@teu/image/digest";
import type { ImageConfig } from "@teu/specs/image";
import type { BuildEvent } from "./progress/build-event.ts";

/** Options of `buildImage`. */
export interface BuildOptions {
  /** Absolute path of the context directory; null: a build without context. */
  readonly context: string | null;
  /** The Dockerfile's text and how it is called in messages; `path` (absolute) when it is a file. */
  readonly dockerfile: { readonly name: string; readonly text: string; readonly path?: string };
  /** Stage by name or number; default: the last. */
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** References to give the image. */
  readonly tags?: readonly string[];
  /** "linux/amd64"; default: this host's. */
  readonly platform?: string;
  /** Do every step again. */
  readonly noCache?: boolean;
  /** Ask the registry for base images even when they are here. */
  readonly pull?: boolean;
  /** Network of RUN steps that do not say; default "bridge". */
  readonly network?: "bridge" | "none" | "host";
  /** "name:ip" lines for RUN steps. */
  readonly addHosts?: readonly string[];
  /** Steps at the same time; default: processors. */
  readonly jobs?: number;
  readonly progress?: (event: BuildEvent) => void;
}

/** What a build made. */
export interface BuildResult {
  /** Digest of the config. */
  readonly imageId: Digest;
  readonly manifestDigest: string;
  readonly names: readonly string[];
  readonly config: ImageConfig;
  /** Build arguments that no stage asked for, and what else did not fail but should be known. */
  readonly warnings: readonly string[];
}
