// Times for people, in Docker's words.

const STEPS: readonly (readonly [limit: number, unit: number, name: string])[] = [
  [60, 1, "second"],
  [60 * 60, 60, "minute"],
  [48 * 3600, 3600, "hour"],
  [14 * 86400, 86400, "day"],
  [60 * 86400, 7 * 86400, "week"],
  [2 * 365 * 86400, 30 * 86400, "month"],
  [Number.POSITIVE_INFINITY, 365 * 86400, "year"],
];

/** "5 minutes", "About an hour", "Less than a second". */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 1) return "Less than a second";
  if (seconds >= 60 && seconds < 120) return "About a minute";
  if (seconds >= 3600 && seconds < 7200) return "About an hour";
  const [, unit, name] = STEPS.find(([limit]) => seconds < limit) ?? [0, 1, "second"];
  const count = Math.floor(seconds / unit);
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

/** "5 minutes ago"; "N/A" for 0, which says nothing. */
export function ago(now: number, then: number): string {
  return then === 0 ? "N/A" : `${humanDuration(Math.max(0, now - then))} ago`;
}

/** As Docker's CreatedAt: "2026-11-23 22:01:02 +0000 UTC". */
export function timestamp(then: number): string {
  return `${new Date(then).toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`;
}

/**
 * Reads --since and --until: seconds since 1970 (with fraction), RFC 3339, a date, or a span back from now ("10m", "1h30m").
 * Null for anything else. Milliseconds since 1970.
 */
export function parseMoment(text: string, now: number): number | null {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) {
    const units: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 };
    let span = 0;
    for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
      span += Number(count) * (units[unit ?? ""] ?? 0);
    return now - span;
  }
  if (!/^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?$/.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at;
}
