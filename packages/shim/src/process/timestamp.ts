// RFC 3339 with nanoseconds, UTC: the form of every time in the shim's files.
// portable: no host types here.

/** `ns` since 1970 as "2026-01-02T03:04:05.123456789Z". */
export function timestamp(ns: bigint): string {
  const second = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19);
  return `${second}.${(ns % 1_000_000_000n).toString().padStart(9, "0")}Z`;
}
