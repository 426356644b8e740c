// PEM files of keys: exactly one block. A file with several would mean one key to us and another one to somebody else.

import { signingError } from "./signing-error.ts";

/** A block with its label: "PUBLIC KEY". */
export interface PemBlock {
  readonly label: string;
  readonly bytes: Buffer;
}

/** Largest file of a key. */
export const LARGEST_KEY_FILE: number = 128 << 10;

/** The only block of a text. @throws TeuError `invalid`. */
export function parsePem(text: string, what: string): PemBlock {
  const fault = (message: string): Error => signingError("invalid", `read ${what}`, message);
  if (text.length > LARGEST_KEY_FILE) throw fault(`more than ${LARGEST_KEY_FILE} bytes`);
  const begins = [...text.matchAll(/^-----BEGIN ([A-Z0-9 ]{1,64})-----[ \t\r]*$/gm)];
  const [begin] = begins;
  if (begin === undefined) throw fault("it is not PEM");
  if (begins.length > 1) throw fault(`it has ${begins.length} PEM blocks, want one`);
  const label = begin[1] ?? "";
  const start = begin.index + begin[0].length;
  const end = text.indexOf(`-----END ${label}-----`, start);
  if (end < 0) throw fault(`its block ${label} does not end`);
  const body = text.slice(start, end).replace(/\s+/g, "");
  const bytes = Buffer.from(body, "base64");
  if (body === "" || bytes.toString("base64") !== body) throw fault(`its block ${label} is not base64`);
  return { label, bytes };
}

/** All blocks of a text, at least one; what is between them is a comment. @throws TeuError `invalid`, `exhausted`. */
export function parsePemBlocks(text: string, what: string, most: number): readonly PemBlock[] {
  const parts = text.split(/^(?=-----BEGIN )/m).filter((part) => part.startsWith("-----BEGIN "));
  if (parts.length === 0) throw signingError("invalid", `read ${what}`, "it is not PEM");
  if (parts.length > most) throw signingError("exhausted", `read ${what}`, `more than ${most} PEM blocks`);
  return parts.map((part) => parsePem(part, what));
}

/** A block as text, in lines of 64. */
export function printPem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
