// What a pull or push tells while it runs.

import type { Digest } from "@teu/image/digest";

/** One event. Sizes are bytes of the content as transferred. */
export type TransferEvent =
  /** What the reference stands for. */
  | { readonly kind: "resolved"; readonly digest: Digest; readonly mediaType: string }
  /** A blob's transfer begins, or goes on at `offset`. */
  | { readonly kind: "started"; readonly digest: Digest; readonly size: number; readonly offset: number }
  | { readonly kind: "progress"; readonly digest: Digest; readonly size: number; readonly offset: number }
  | { readonly kind: "done"; readonly digest: Digest; readonly size: number }
  /** Nothing to transfer: it is there already, or was mounted from another repository. */
  | { readonly kind: "present" | "mounted"; readonly digest: Digest; readonly size: number };

/** Called often while bytes flow: at most once per chunk. Must not throw. */
export type TransferProgress = (event: TransferEvent) => void;
