// DER as far as certificates need it: values one after the other, each with its only possible length.

import { signingError } from "./signing-error.ts";

/** A value: `content` without tag and length. */
export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
}

/** All values in the bytes. @throws TeuError `invalid`, also when anything is left over. */
export function readDer(bytes: Buffer): readonly DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length;) {
    const [tag = 0, first = 0x80] = bytes.subarray(at, at + 2);
    const more = first < 0x80 ? 0 : first & 0x7f;
    if ((tag & 0x1f) === 0x1f || first === 0x80 || more > 3 || at + 2 + more > bytes.length) throw fault();
    const length = more === 0 ? first : bytes.readUIntBE(at + 2, more);
    const start = at + 2 + more;
    if (more > 0 && length < (more === 1 ? 0x80 : 256 ** (more - 1))) throw fault();
    if (start + length > bytes.length) throw fault();
    values.push({ tag, content: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return values;
}

/** The content of the only value, which has to have the tag. @throws TeuError `invalid`. */
export function onlyDer(bytes: Buffer, tag: number): Buffer {
  const [value, ...rest] = readDer(bytes);
  if (value === undefined || rest.length > 0 || value.tag !== tag) throw fault();
  return value.content;
}

function fault(): Error {
  return signingError("invalid", "read certificate", "it is not DER");
}
