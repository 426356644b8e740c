// Patterns for names of images in Docker's grammar (Go's path.Match): "*" is anything without a slash, "?" one character but a slash,
// "[a-c]" and "[^a-c]" one of a set, a backslash takes away a meaning. A pattern is for the whole of a name as people write it, with
// its tag or digest or without.

import { TeuError } from "@teu/base/errors";
import { familiarName, familiarText, parseReference, referenceName } from "@teu/image/reference";

/** Tells whether a full name fits. @throws TeuError `invalid` for a pattern that ends in its midst. */
export function namePattern(text: string): (name: string) => boolean {
  const parts = text.match(/\*+|\?|\[(?:\\.|[^\]\\])+\]|\\.|[^*?[\\]+|./gsu) ?? [];
  const pattern = new RegExp(`^${parts.map((part) => sourceOf(text, part)).join("")}$`, "su");
  return (name) => {
    const reference = parseReference(name);
    return [familiarText(reference), familiarName(reference), name, referenceName(reference)].some((form) =>
      pattern.test(form),
    );
  };
}

function sourceOf(text: string, part: string): string {
  if (part.startsWith("*")) return "[^/]*";
  if (part === "?") return "[^/]";
  if (part === "[" || part === "\\") throw malformed(text);
  if (part.startsWith("[")) return setOf(text, part);
  return literal(part.startsWith("\\") ? part.slice(1) : part);
}

function setOf(text: string, part: string): string {
  const isNot = part.startsWith("[^");
  const members = part.slice(isNot ? 2 : 1, -1).match(/(?:\\.|[^\\])(?:-(?:\\.|[^\\]))?/gsu) ?? [];
  if (members.length === 0) throw malformed(text);
  const source = members.map((member) => {
    const [first = "", last] = (member.match(/\\.|[^\\]/gsu) ?? [])
      .filter((_, i) => i !== 1)
      .map((one) => one.at(-1) ?? "");
    if (last === undefined) return literal(first);
    if (first > last) throw malformed(text);
    return `${literal(first)}-${literal(last)}`;
  });
  return `[${isNot ? "^" : ""}${source.join("")}]`;
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, (sign) => `\\x${sign.charCodeAt(0).toString(16)}`);
}

function malformed(text: string): TeuError {
  return new TeuError({ code: "invalid", op: "read pattern", subject: text, message: "it is malformed" });
}
