// The Warning header (distribution-spec, "Warnings"): `299 - "text"`, no date, at most 4096 bytes for all together.

/** Bytes of all warnings of one answer. */
export const WARNINGS_LIMIT = 4096;

/** Prints a warning; control characters become spaces. */
export function formatWarning(text: string): string {
  return `299 - "${text.replace(/[^\x20-\x7e]/g, " ").replace(/["\\]/g, "\\$&")}"`;
}

/** The texts of an answer's warnings that the spec knows; all of them are dropped when they are longer than allowed. */
export function parseWarnings(headers: readonly string[]): string[] {
  const total = headers.reduce((sum, header) => sum + header.length, 0);
  if (total > WARNINGS_LIMIT) return [];
  return headers.flatMap((header) => {
    const match = /^299 - "((?:[^"\\]|\\[^])*)"$/.exec(header.trim());
    // Shown on terminals: escape sequences of a stranger must not get there.
    return match === null
      ? []
      : [(match[1] ?? "").replace(/\\([^])/g, "$1").replace(/[^\x20-\x7e\u00a0-\uffff]/g, " ")];
  });
}
