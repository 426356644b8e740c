// --chmod: an octal mode or symbolic changes ("u+x,g=rX"), applied to each copied entry.

import { TeuError } from "@teu/base/errors";

/** Gives the new permission bits of an entry. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

const CLAUSE = /^([ugoa]*)((?:[+\-=][rwxXst]*)+)$/;

/** @throws TeuError `invalid`. */
export function parseModeChange(text: string): ModeChange {
  if (/^[0-7]{1,5}$/.test(text) && Number.parseInt(text, 8) <= 0o7777) {
    const mode = Number.parseInt(text, 8);
    return () => mode;
  }
  const changes = text.split(",").flatMap((clause) => parseClause(text, clause));
  return (mode, isDirectory) => changes.reduce((bits, change) => change(bits, isDirectory), mode);
}

function parseClause(text: string, clause: string): ModeChange[] {
  const match = CLAUSE.exec(clause);
  if (match === null) {
    throw new TeuError({
      code: "invalid",
      op: "read mode",
      subject: text,
      message: "neither octal (at most 7777) nor symbolic",
      hint: 'write it as "755" or "u+x,go-w"',
    });
  }
  const who = match[1] === "" || match[1]?.includes("a") === true ? "ugo" : (match[1] ?? "");
  return [...(match[2] ?? "").matchAll(/([+\-=])([rwxXst]*)/g)].map(
    ([, operator, letters]) =>
      (mode: number, isDirectory: boolean): number => {
        const bits = bitsOf(letters ?? "", who, mode, isDirectory);
        if (operator === "+") return mode | bits;
        if (operator === "-") return mode & ~bits;
        return (mode & ~maskOf(who, isDirectory)) | bits;
      },
  );
}

const SHIFT: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };

function bitsOf(letters: string, who: string, mode: number, isDirectory: boolean): number {
  let one = 0;
  if (letters.includes("r")) one |= 4;
  if (letters.includes("w")) one |= 2;
  if (letters.includes("x") || (letters.includes("X") && (isDirectory || (mode & 0o111) !== 0))) one |= 1;
  let bits = 0;
  for (const target of who) bits |= one << (SHIFT[target] ?? 0);
  if (letters.includes("s")) bits |= (who.includes("u") ? 0o4000 : 0) | (who.includes("g") ? 0o2000 : 0);
  if (letters.includes("t")) bits |= 0o1000;
  return bits;
}

function maskOf(who: string, isDirectory: boolean): number {
  let mask = 0;
  for (const target of who) mask |= 7 << (SHIFT[target] ?? 0);
  // As chmod does: "=" keeps the set-id bits of directories.
  if (!isDirectory) mask |= (who.includes("u") ? 0o4000 : 0) | (who.includes("g") ? 0o2000 : 0);
  return mask;
}
