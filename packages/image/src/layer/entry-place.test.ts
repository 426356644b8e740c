// What the names of entries mean, without a tar or a disk.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";

import { type EntryPlace, linkTarget, placeOf } from "./entry-place.ts";

const PLACES: readonly (readonly [name: string, place: EntryPlace])[] = [
  ["a", { kind: "entry", parent: "", name: "a" }],
  ["./a/b", { kind: "entry", parent: "a", name: "b" }],
  ["/a//./b", { kind: "entry", parent: "a", name: "b" }],
  ["...", { kind: "entry", parent: "", name: "..." }],
  ["a/.hidden", { kind: "entry", parent: "a", name: ".hidden" }],
  ["", { kind: "root" }],
  ["/", { kind: "root" }],
  ["./.", { kind: "root" }],
  ["a/.wh.b", { kind: "whiteout", parent: "a", name: "b" }],
  [".wh....", { kind: "whiteout", parent: "", name: "..." }],
  ["a/.wh..wh..opq", { kind: "opaque", parent: "a" }],
  [".wh..wh.plnk/1.2", { kind: "skip" }],
];
test("placeOf: what names mean", () => {
  for (const [name, place] of PLACES) assert.deepEqual(placeOf(name), place, name);
});

const REFUSED = [
  ...["..", "../a", "a/..", "a/../b", "/../a", "./../a", "a\0b", "\0", "a/b\0/../c", "./a\0"],
  ...[".wh.", ".wh..", ".wh...", "a/.wh.", ".wh.x/y", "a/.wh..wh..opq/b", `${"a/".repeat(2048)}a`, "é".repeat(2049)],
];
test("placeOf, linkTarget: corrupt for names that lead out, hold a NUL, mean nothing or are too long", () => {
  const isCorrupt = (error: unknown): boolean => isTeuError(error, "corrupt");
  for (const name of REFUSED) assert.throws(() => placeOf(name), isCorrupt, JSON.stringify(name.slice(0, 40)));
  for (const target of ["..", "a/../../b", "a\0b", "/", "", "a/".repeat(2049)])
    assert.throws(() => linkTarget("link", target), isCorrupt, JSON.stringify(target.slice(0, 40)));
});
