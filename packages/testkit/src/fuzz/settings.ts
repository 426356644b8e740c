// How much fuzz tests try: a few hundred inputs for each property, or as many as TEU_FUZZ_RUNS says; TEU_FUZZ_SEED repeats a run.

import assert from "node:assert/strict";

import { type ErrorCode, isTeuError } from "@teu/base/errors";
import fc from "fast-check";

const RUNS = Number(process.env["TEU_FUZZ_RUNS"] ?? 200);
const SEED = process.env["TEU_FUZZ_SEED"];

/** For `fc.assert`; `share` for properties that are dearer than others. */
export function runs(share: number = 1): { numRuns: number; seed?: number } {
  const numRuns = Math.max(1, Math.ceil(RUNS * share));
  return SEED === undefined ? { numRuns } : { numRuns, seed: Number(SEED) };
}

/** The value of a parser, or null when it refused its input with one of the errors that it may. Everything else is a defect. */
export function accepted<T>(parse: () => T, ...codes: readonly ErrorCode[]): T | null {
  try {
    return parse();
  } catch (error) {
    assert.ok(isTeuError(error) && codes.includes(error.code), `threw ${String(error)}`);
    assert.ok(error.message.length < 4000, "the message repeats its input without end");
    return null;
  }
}

/** Characters that programs trip over. */
export const STRANGE: fc.Arbitrary<string> = fc.constantFrom(
  ...["\0", "\x7f", "\u00e9", "\ufeff", "\ud800", "\udfff", "\u2028", "\u{1f600}", "\t", "\r\n", "%2f", "\\"],
);

/** Texts that are near to what a parser takes: pieces of its language in any order, repeated, with strange characters between. */
export function nearly(pieces: readonly string[], maxLength: number = 40): fc.Arbitrary<string> {
  const piece = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...pieces) },
    { weight: 1, arbitrary: STRANGE },
    // Where a parser steps back and tries again, repetition makes it slow.
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...pieces), fc.nat(2000)).map(([text, n]) => text.repeat(n)) },
  );
  return fc.array(piece, { maxLength }).map((parts) => parts.join(""));
}

/** Changes a few bytes, cuts, doubles or swaps pieces. */
export function damaged(good: Uint8Array): fc.Arbitrary<Buffer> {
  const at = fc.nat(Math.max(0, good.length - 1));
  const change = fc.oneof(
    fc.record({ kind: fc.constant("set" as const), at, value: fc.nat(255) }),
    fc.record({ kind: fc.constant("cut" as const), at, length: fc.nat(600) }),
    fc.record({ kind: fc.constant("copy" as const), at, to: at, length: fc.nat(600) }),
  );
  return fc.array(change, { minLength: 1, maxLength: 6 }).map((changes) => {
    let bytes = Buffer.from(good);
    for (const one of changes) {
      const end = "length" in one ? one.at + one.length : one.at;
      if (one.kind === "set" && one.at < bytes.length) bytes[one.at] = one.value;
      if (one.kind === "cut") bytes = Buffer.concat([bytes.subarray(0, one.at), bytes.subarray(end)]);
      if (one.kind === "copy")
        bytes = Buffer.concat([bytes.subarray(0, one.to), bytes.subarray(one.at, end), bytes.subarray(one.to)]);
    }
    return bytes;
  });
}
