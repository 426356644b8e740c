// Which tags are versions in a range, as skopeo's `images-by-semver` means it (Masterminds/semver): tags may have a "v" and lack minor and
// patch, conditions are joined by commas or spaces (and), alternatives by "||". The comparison itself is npm's.

import { TeuError } from "@teu/base/errors";
import { Range, SemVer } from "semver";

const TAG = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(-[0-9A-Za-z.-]+)?$/;

/** Tells whether a tag is a version in the range. */
export type TagTest = (tag: string) => boolean;

/** @throws TeuError `invalid` for what is no range. */
export function versionRange(text: string): TagTest {
  const alternatives = text.split("||").map((part) => allOf(text, part));
  return (tag) => {
    const version = versionOf(tag);
    return version !== null && alternatives.some((test) => test(version));
  };
}

type VersionTest = (version: SemVer) => boolean;

/** Conditions that all hold; npm's ranges have no "!=". */
function allOf(whole: string, part: string): VersionTest {
  const without: SemVer[] = [];
  const rest = part.replaceAll(",", " ").replace(/!=\s*(\S+)/g, (_, version: string) => {
    const excluded = versionOf(version);
    if (excluded === null) throw noRange(whole);
    without.push(excluded);
    return " ";
  });
  const range = rangeOf(whole, rest.replace(/=([<>])/g, "$1="));
  return (version) => range.test(version) && without.every((excluded) => version.compare(excluded) !== 0);
}

function rangeOf(whole: string, text: string): Range {
  if (text.trim() === "" && !whole.includes("!=")) throw noRange(whole);
  try {
    return new Range(text);
  } catch {
    throw noRange(whole);
  }
}

/** Null for tags that are no versions. */
function versionOf(tag: string): SemVer | null {
  const match = TAG.exec(tag);
  if (match === null) return null;
  const [, major = "0", minor = "0", patch = "0", pre = ""] = match;
  try {
    return new SemVer(`${Number(major)}.${Number(minor)}.${Number(patch)}${pre}`);
  } catch {
    return null;
  }
}

function noRange(text: string): TeuError {
  return new TeuError({
    code: "invalid",
    op: "read version range",
    subject: text.slice(0, 100),
    message: "it is no range of versions",
    hint: 'write conditions as ">= 1.2, < 2.0", "~1.4" or "^2"',
  });
}
