// Byte positions in headers: Range and Content-Range of downloads (RFC 9110, section 14), and the forms that uploads use
// (distribution-spec, "Pushing a blob in chunks": `Content-Range: 0-99`, `Range: 0-99`, both ends included).

/** A part of a blob: first byte and byte after the last. */
export interface ByteSpan {
  readonly start: number;
  readonly end: number;
}

/** What a Range header asks of a blob: the whole, a part, or something that does not exist (416). */
export type RangeRequest =
  | { readonly kind: "whole" }
  | { readonly kind: "unsatisfiable" }
  | ({ readonly kind: "part" } & ByteSpan);

/** Reads `Range` for a blob of `size` bytes. Units other than bytes and several ranges are answered with the whole, as the RFC allows. */
export function parseRange(header: string | undefined, size: number): RangeRequest {
  if (header === undefined || !/^bytes=/i.test(header)) return { kind: "whole" };
  const spec = header.slice("bytes=".length).trim();
  if (spec.includes(",")) return { kind: "whole" };
  const match = /^(\d*)-(\d*)$/.exec(spec);
  if (match === null) return { kind: "unsatisfiable" };
  const [, first = "", last = ""] = match;
  if (first === "") return suffixRange(last, size);
  const start = readNumber(first);
  const end = last === "" ? size : readNumber(last) + 1;
  if (Number.isNaN(start) || Number.isNaN(end) || start >= size || end <= start) return { kind: "unsatisfiable" };
  return { kind: "part", start, end: Math.min(end, size) };
}

function suffixRange(text: string, size: number): RangeRequest {
  const length = readNumber(text);
  if (Number.isNaN(length) || length === 0 || size === 0) return { kind: "unsatisfiable" };
  return { kind: "part", start: Math.max(0, size - length), end: size };
}

/** `bytes=START-` or `bytes=START-LAST`. */
export function formatRange(span: { readonly start: number; readonly end?: number }): string {
  return `bytes=${span.start}-${span.end === undefined ? "" : span.end - 1}`;
}

/** `bytes START-LAST/SIZE` of a 206 answer. */
export function formatContentRange(span: ByteSpan, size: number): string {
  return `bytes ${span.start}-${span.end - 1}/${size}`;
}

/** Reads `Content-Range` of a 206 answer; null when it is no byte range. `size` is absent for `*`. */
export function parseContentRange(header: string | undefined): (ByteSpan & { readonly size?: number }) | null {
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(header?.trim() ?? "");
  if (match === null) return null;
  const start = readNumber(match[1] ?? "");
  const end = readNumber(match[2] ?? "") + 1;
  const size = match[3] === "*" ? undefined : readNumber(match[3] ?? "");
  if (Number.isNaN(start) || Number.isNaN(end) || end <= start) return null;
  if (size !== undefined && (Number.isNaN(size) || end > size)) return null;
  return { start, end, ...(size === undefined ? {} : { size }) };
}

/** Reads `Content-Range` of a chunk: `0-99`; also the RFC's form, which some clients send. Null when it is neither. */
export function parseChunkRange(header: string): ByteSpan | null {
  const match = /^(?:bytes[ =])?(\d+)-(\d+)(?:\/(?:\d+|\*))?$/i.exec(header.trim());
  const start = readNumber(match?.[1] ?? "");
  const end = readNumber(match?.[2] ?? "") + 1;
  return Number.isNaN(start) || Number.isNaN(end) || end <= start ? null : { start, end };
}

/** `Content-Range` of a chunk. */
export function formatChunkRange(span: ByteSpan): string {
  return `${span.start}-${span.end - 1}`;
}

/** `Range` of an upload that has `offset` bytes. None is "0-0", as every registry says it (and so is one byte). */
export function formatProgress(offset: number): string {
  return `0-${Math.max(0, offset - 1)}`;
}

/** Bytes that a registry says it has of an upload; null when the header is missing or malformed. */
export function parseProgress(header: string | undefined): number | null {
  const match = /^(?:bytes[ =])?0-(-?\d+)$/i.exec(header?.trim() ?? "");
  if (match === null) return null;
  if (match[1] === "-1") return 0;
  const last = readNumber(match[1] ?? "");
  return Number.isNaN(last) ? null : last + 1;
}

// At most 15 digits: everything beyond cannot be a position here and would lose precision.
function readNumber(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}
