// Headers of hostile servers: any text is read in bounded time, and what is understood prints to what is understood the same way.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  formatChunkRange,
  formatContentRange,
  formatProgress,
  parseChunkRange,
  parseContentRange,
  parseProgress,
  parseRange,
} from "@teu/distribution/wire/byte-range";
import { formatChallenge, parseChallenges } from "@teu/distribution/wire/challenge";
import { parseNextLink } from "@teu/distribution/wire/link-header";
import { formatTokenScope, parseTokenScope } from "@teu/distribution/wire/token-scope";
import { formatWarning, parseWarnings } from "@teu/distribution/wire/warning-header";
import fc from "fast-check";

import { nearly, runs } from "./settings.ts";

test("fuzz parseChallenges: what is understood prints to the same challenges", () => {
  const pieces = [
    "Bearer",
    "Basic",
    "realm",
    "service",
    "scope",
    "=",
    '"',
    "\\",
    ",",
    " ",
    "\t",
    "https://a/t",
    "pull,push",
    "\r\n",
  ];
  fc.assert(
    fc.property(fc.array(nearly(pieces), { maxLength: 3 }), (headers) => {
      const challenges = parseChallenges(headers);
      const printable = challenges.every(({ parameters }) =>
        [...parameters.values()].every((value) => !/[\x00-\x1f\x7f]/.test(value)),
      );
      for (const { scheme, parameters } of challenges) {
        assert.match(scheme, /^[^\s,="]+$/);
        for (const name of parameters.keys()) assert.equal(name, name.toLowerCase());
      }
      if (!printable) return;
      const printed = challenges.map(({ scheme, parameters }) =>
        formatChallenge(scheme, Object.fromEntries(parameters)),
      );
      assert.deepEqual(parseChallenges(printed), challenges);
    }),
    runs(),
  );
});

test("fuzz parseNextLink: a target is one address, and nothing that ends a header", () => {
  const pieces = [
    "<",
    ">",
    ";",
    ",",
    " ",
    "rel",
    "=",
    '"',
    "next",
    "prev",
    "\\",
    "/v2/a/tags/list?n=1",
    "https://b/",
    "\r\n",
    "\0",
  ];
  fc.assert(
    fc.property(nearly(pieces), (header) => {
      const target = parseNextLink(header);
      if (target === null) return;
      assert.match(target, /^[\x21-\x7e]+$/);
      assert.ok(header.includes(target));
      assert.equal(parseNextLink(`<${target}>; rel="next"`), target.includes(">") ? null : target);
    }),
    runs(),
  );
});

test("fuzz ranges: a position is a safe number inside its blob, and prints back", () => {
  const pieces = [
    "bytes",
    " ",
    "=",
    "-",
    "/",
    "*",
    "0",
    "1",
    "99",
    "9".repeat(15),
    "9".repeat(16),
    ",",
    "+",
    "e5",
    "0x1",
  ];
  fc.assert(
    fc.property(nearly(pieces, 8), fc.nat(1000), (header, size) => {
      const content = parseContentRange(header);
      if (content !== null) {
        const { start, end, size: whole } = content;
        assert.ok(0 <= start && start < end && Number.isSafeInteger(end) && end <= (whole ?? end));
        if (whole !== undefined)
          assert.deepEqual(parseContentRange(formatContentRange({ start, end }, whole)), content);
      }
      const chunk = parseChunkRange(header);
      if (chunk !== null) assert.deepEqual(parseChunkRange(formatChunkRange(chunk)), chunk);
      const progress = parseProgress(header);
      if (progress !== null && progress > 0) assert.equal(parseProgress(formatProgress(progress)), progress);
      const range = parseRange(header, size);
      if (range.kind === "part") assert.ok(0 <= range.start && range.start < range.end && range.end <= size);
    }),
    runs(0.5),
  );
});

test("fuzz parseTokenScope, parseWarnings: what is understood prints back", () => {
  fc.assert(
    fc.property(
      nearly(["repository", "registry", ":", "a/b", "catalog", "pull", "push", ",", "*", " ", "5000"], 8),
      (text) => {
        const scope = parseTokenScope(text);
        if (scope === null) return;
        const printed = formatTokenScope(scope);
        const again = parseTokenScope(printed);
        assert.deepEqual(new Set(again?.actions), new Set(scope.actions));
        assert.deepEqual([again?.type, again?.name], [scope.type, scope.name]);
        assert.equal(again === null ? null : formatTokenScope(again), printed);
      },
    ),
    runs(),
  );
  fc.assert(
    fc.property(fc.array(nearly(["299", " ", "-", '"', "\\", "text", "\r\n", "é"], 8), { maxLength: 4 }), (headers) => {
      for (const text of parseWarnings(headers)) {
        const again = parseWarnings([formatWarning(text)]);
        assert.ok(again.length <= 1);
        assert.doesNotMatch(formatWarning(text), /[\r\n\0]/);
      }
    }),
    runs(),
  );
});
