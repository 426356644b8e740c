// Progress of pull, push, load and copy: on a terminal a line per layer, rewritten in place; elsewhere a plain line when something ends.

import { formatSize } from "@teu/base/bytes";
import type { ImageProgress } from "@teu/engine/images/images";
import type { Output } from "../command.ts";
import { LiveLines } from "./live-lines.ts";

/** What happens to one thing: transfers as engines tell them, and what commands do with layers themselves. */
export interface TransferEvent extends Omit<ImageProgress, "kind"> {
  readonly kind: ImageProgress["kind"] | "read" | "pack";
}

const WORDS: Readonly<Record<TransferEvent["kind"], { readonly going: string; readonly done: string }>> = {
  resolve: { going: "Resolving", done: "Resolved" },
  download: { going: "Downloading", done: "Download complete" },
  copy: { going: "Copying", done: "Copied" },
  upload: { going: "Pushing", done: "Pushed" },
  unpack: { going: "Extracting", done: "Extracted" },
  exists: { going: "Already exists", done: "Already exists" },
  read: { going: "Reading", done: "Read" },
  pack: { going: "Packing", done: "Packed" },
  done: { going: "Complete", done: "Complete" },
};

/** Takes progress events; `end` leaves the terminal tidy. */
export interface TransferProgress extends Disposable {
  event(event: TransferEvent): void;
}

/** A renderer for where the output goes; `quiet` shows nothing. */
export function transferProgress(
  output: Output,
  options: { readonly quiet: boolean; readonly dumb: boolean },
): TransferProgress {
  if (options.quiet) return { event: () => {}, [Symbol.dispose]: () => {} };
  return output.isTTY && !options.dumb ? new LiveTransfer(output.stream) : new PlainTransfer(output);
}

class PlainTransfer implements TransferProgress {
  readonly #output: Output;
  readonly #said = new Set<string>();

  constructor(output: Output) {
    this.#output = output;
  }

  event(event: TransferEvent): void {
    const ended =
      event.kind === "exists" ||
      event.kind === "done" ||
      event.kind === "resolve" ||
      (event.total !== undefined && event.current === event.total);
    if (!ended) return;
    const line = `${shortId(event.id)}: ${WORDS[event.kind].done}`;
    if (this.#said.has(line)) return;
    this.#said.add(line);
    this.#output.write(`${line}\n`);
  }

  [Symbol.dispose](): void {}
}

class LiveTransfer implements TransferProgress {
  readonly #lines: LiveLines;
  readonly #state = new Map<string, TransferEvent>();

  constructor(stream: NodeJS.WriteStream) {
    this.#lines = new LiveLines(stream, () => [...this.#state.values()].map(liveLine));
  }

  event(event: TransferEvent): void {
    this.#state.set(event.id, event);
    this.#lines.changed();
  }

  [Symbol.dispose](): void {
    this.#lines[Symbol.dispose]();
  }
}

function liveLine(event: TransferEvent): string {
  const { current, total } = event;
  const ended = event.kind === "exists" || event.kind === "done" || (total !== undefined && current === total);
  const words = ended ? WORDS[event.kind].done : WORDS[event.kind].going;
  if (ended || current === undefined) return `${shortId(event.id)}: ${words}`;
  if (total === undefined || total === 0) return `${shortId(event.id)}: ${words} ${formatSize(current)}`;
  const width = 30;
  const filled = Math.min(width, Math.floor((current / total) * width));
  const bar = `${"=".repeat(Math.max(0, filled - 1))}${filled > 0 ? ">" : ""}`.padEnd(width);
  return `${shortId(event.id)}: ${words.padEnd(12)} [${bar}] ${formatSize(current)}/${formatSize(total)}`;
}

function shortId(id: string): string {
  return /^sha256:[a-f0-9]{64}$/.test(id) ? id.slice(7, 19) : id;
}
