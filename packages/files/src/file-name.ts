// File names as strings. Linux names are bytes; those that are not UTF-8 travel as U+DC80..U+DCFF, as in Python,
// so every name survives a round trip. Such strings are for this package only: node:fs would mangle them.

const ESCAPE_FIRST = 0xdc80;
const ESCAPE_LAST = 0xdcff;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The string for a name's bytes. */
export function fileNameFromBytes(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    // Not UTF-8, which is legal for a name: escape what is not.
    return escapeInvalid(bytes);
  }
}

/** The bytes of a name's string: the reverse of `fileNameFromBytes`. Other lone surrogates become U+FFFD. */
export function fileNameToBytes(name: string): Uint8Array {
  if (!hasEscape(name)) return Buffer.from(name, "utf8");
  const parts: Uint8Array[] = [];
  let clean = "";
  for (const character of name) {
    const code = character.codePointAt(0) as number;
    if (code < ESCAPE_FIRST || code > ESCAPE_LAST) {
      clean += character;
      continue;
    }
    parts.push(Buffer.from(clean, "utf8"), Uint8Array.of(code & 0xff));
    clean = "";
  }
  parts.push(Buffer.from(clean, "utf8"));
  return Buffer.concat(parts);
}

/** Whether the name holds bytes that are not UTF-8, hence must not be given to node:fs. */
export function hasEscape(name: string): boolean {
  return !name.isWellFormed() && /[\udc80-\udcff]/.test(name);
}

function escapeInvalid(bytes: Uint8Array): string {
  let out = "";
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    const valid = length > 0 ? decodeOne(bytes.subarray(at, at + length)) : null;
    out += valid ?? String.fromCharCode(0xdc00 | (bytes[at] as number));
    at += valid === null ? 1 : length;
  }
  return out;
}

function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

function decodeOne(sequence: Uint8Array): string | null {
  try {
    return utf8.decode(sequence);
  } catch {
    return null;
  }
}
