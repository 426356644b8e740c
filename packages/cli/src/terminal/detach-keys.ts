// The key sequence that leaves a container's terminal without stopping it ("ctrl-p,ctrl-q").

import { TeuError } from "@teu/base/errors";

/** Watches input for the sequence; what turns out not to be it is passed on. */
export class DetachKeys {
  readonly #sequence: readonly number[];
  #matched = 0;

  /** @throws TeuError `invalid` for a sequence that cannot be read. */
  constructor(keys: string) {
    this.#sequence = keys.split(",").map((key) => keyCode(key, keys));
  }

  /** Bytes to pass on, and whether the sequence is complete. */
  pass(chunk: Uint8Array): { readonly data: Uint8Array; readonly detached: boolean } {
    const out: number[] = [];
    for (const byte of chunk) {
      if (byte === this.#sequence[this.#matched]) {
        if (++this.#matched === this.#sequence.length) return { data: Uint8Array.from(out), detached: true };
        continue;
      }
      out.push(...this.#sequence.slice(0, this.#matched));
      this.#matched = byte === this.#sequence[0] ? 1 : 0;
      if (this.#matched === 0) out.push(byte);
    }
    return { data: Uint8Array.from(out), detached: false };
  }
}

const NAMED: Readonly<Record<string, number>> = { "@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, _: 31 };

function keyCode(key: string, all: string): number {
  const control = /^ctrl-(.)$/.exec(key)?.[1];
  if (control === undefined && /^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
  if (control !== undefined && /^[a-z]$/.test(control)) return control.charCodeAt(0) - 96;
  const named = control === undefined ? undefined : NAMED[control];
  if (named !== undefined) return named;
  throw new TeuError({
    code: "invalid",
    op: "read detach keys",
    subject: all,
    message: `${JSON.stringify(key)} is no key`,
    hint: 'write them as "ctrl-p,ctrl-q"',
  });
}
