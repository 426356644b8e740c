// References, digests and platforms: whatever is taken reads back as itself, and cannot lead anywhere as a path. Users and groups of
// images: whatever is taken is an id.

import assert from "node:assert/strict";
import { test } from "node:test";

import { digestAlgorithm, digestEncoded, parseDigest } from "@teu/image/digest";
import { formatPlatform, parsePlatform, platformMatches } from "@teu/image/platform";
import { familiarText, isRepository, isTag, parseReference, referenceText } from "@teu/image/reference";
import { parseGroup, parsePasswd } from "@teu/image/user-files";
import fc from "fast-check";

import { accepted, nearly, runs } from "./settings.ts";

const HEX = "0123456789abcdef".repeat(4);
const REFERENCE = [
  "a",
  "b1",
  "Ab",
  "/",
  ":",
  "@",
  ".",
  "_",
  "-",
  "..",
  "5000",
  "localhost",
  "[::1]",
  "docker.io",
  "library",
  "latest",
  "sha256:",
  HEX,
];

test("fuzz parseReference: what is taken reads back as itself, long and short", () => {
  fc.assert(
    fc.property(nearly(REFERENCE, 12), (text) => {
      const reference = accepted(() => parseReference(text), "invalid");
      if (reference === null) return;
      assert.deepEqual(parseReference(referenceText(reference)), reference);
      assert.deepEqual(parseReference(familiarText(reference)), reference);
      assert.ok(isRepository(reference.repository));
      assert.ok(reference.tag === undefined || isTag(reference.tag));
      assert.ok(reference.tag !== undefined || reference.digest !== undefined);
      assert.doesNotMatch(`${reference.domain}/${reference.repository}`, /\.\.|\/\/|[\s\0%?#\\]/);
    }),
    runs(0.5),
  );
});

test("fuzz parseDigest: what is taken has two parts, and is no path", () => {
  fc.assert(
    fc.property(
      nearly(["sha256", "sha512", "blake3", ":", "+", ".", "_", "-", "=", "a", "Z", "/", "..", HEX], 8),
      (text) => {
        const digest = accepted(() => parseDigest(text), "invalid");
        if (digest === null) return;
        assert.equal(`${digestAlgorithm(digest)}:${digestEncoded(digest)}`, text);
        for (const part of [digestAlgorithm(digest), digestEncoded(digest)])
          assert.doesNotMatch(part, /[/\\\0:]|^\.{0,2}$/);
      },
    ),
    runs(0.5),
  );
});

test("fuzz parsePlatform: what is taken reads back as itself, and runs what it says", () => {
  fc.assert(
    fc.property(
      nearly(["linux", "windows", "amd64", "arm64", "arm", "x86_64", "aarch64", "/", "v8", "v7", "8", ".", "1"], 6),
      (text) => {
        const platform = accepted(() => parsePlatform(text), "invalid");
        if (platform === null) return;
        assert.deepEqual(parsePlatform(formatPlatform(platform)), platform);
        assert.ok(platformMatches(platform, platform));
      },
    ),
    runs(),
  );
});

test("fuzz parsePasswd, parseGroup: ids within the limit, names and homes that break nothing", () => {
  const pieces = ["root", "x", ":", "::", "\n", "0", "1000", "2147483648", "-1", "/root", "/a=b", ",", "+", " "];
  fc.assert(
    fc.property(nearly(pieces), fc.constantFrom(1000, 2 ** 31 - 1), (text, largest) => {
      const isId = (id: number): boolean => Number.isSafeInteger(id) && id >= 0 && id <= largest;
      for (const { name, uid, gid, home } of parsePasswd(text, largest)) {
        assert.match(name, /^[^:\n]+$/);
        assert.ok(isId(uid) && isId(gid), text);
        assert.match(home, /^\/[^:\n\0=]*$/);
      }
      for (const { name, gid, members } of parseGroup(text, largest)) {
        assert.match(name, /^[^:\n]+$/);
        assert.ok(isId(gid) && !members.includes(""), text);
      }
    }),
    runs(),
  );
});
