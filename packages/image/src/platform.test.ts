// Platforms: spelling, ranking, choice.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { type Descriptor, MEDIA_TYPES, type Platform } from "@teu/specs/image";

import {
  choosePlatform,
  formatPlatform,
  hostPlatform,
  parsePlatform,
  platformCandidates,
  platformMatches,
} from "./platform.ts";

function entry(name: string, platform?: string): Descriptor {
  const [os = "", architecture = "", variant] = (platform ?? "").split("/");
  const own: Platform | undefined =
    platform === undefined ? undefined : { os, architecture, ...(variant === undefined ? {} : { variant }) };
  return { mediaType: MEDIA_TYPES.manifest, digest: name, size: 1, ...(own === undefined ? {} : { platform: own }) };
}

test("parsePlatform, formatPlatform: one spelling for each", () => {
  const host = hostPlatform();
  for (const [text, want] of [
    ["linux/amd64", "linux/amd64"],
    ["linux/x86_64", "linux/amd64"],
    ["linux/amd64/v1", "linux/amd64"],
    ["linux/amd64/v3", "linux/amd64/v3"],
    ["aarch64", "linux/arm64/v8"],
    ["linux/arm64/8", "linux/arm64/v8"],
    ["linux/arm64/v9.0", "linux/arm64/v9"],
    ["linux/arm", "linux/arm/v7"],
    ["armel", "linux/arm/v6"],
    ["Linux/386", "linux/386"],
    ["windows", `windows/${formatPlatform(host).split("/").slice(1).join("/")}`],
    ["s390x", "linux/s390x"],
  ] as const)
    assert.equal(formatPlatform(parsePlatform(text)), want, text);
  for (const text of ["", "a/b/c/d", "linux//v8", "linux/am d64", "../x"]) {
    assert.throws(
      () => parsePlatform(text),
      (error) => isTeuError(error, "invalid"),
      text,
    );
  }
});

test("platformCandidates: itself, older variants, 32-bit", () => {
  const names = (text: string): string =>
    platformCandidates(parsePlatform(text))
      .map((one) => formatPlatform(one).slice(6))
      .join(" ");
  assert.equal(names("linux/amd64"), "amd64 386");
  assert.equal(names("linux/amd64/v3"), "amd64/v3 amd64/v2 amd64 386");
  assert.equal(names("linux/arm64"), "arm64/v8 arm/v8 arm/v7 arm/v6 arm/v5");
  assert.equal(
    names("linux/arm64/v9.1"),
    "arm64/v9.1 arm64/v9 arm64/v8.6 arm64/v8.5 arm64/v8.4 arm64/v8.3 arm64/v8.2 arm64/v8.1 arm64/v8 arm/v8 arm/v7 arm/v6 arm/v5",
  );
  assert.equal(names("linux/arm/v6"), "arm/v6 arm/v5");
  assert.equal(names("linux/riscv64"), "riscv64");
});

test("choosePlatform: the best match, the first of equals, never an attestation", () => {
  const choose = (platform: string, ...entries: Descriptor[]): string | undefined =>
    choosePlatform(entries, parsePlatform(platform))?.digest;
  assert.equal(
    choose("linux/amd64", entry("a", "linux/386"), entry("b", "linux/amd64"), entry("c", "linux/amd64/v1")),
    "b",
  );
  assert.equal(
    choose("linux/amd64/v2", entry("a", "linux/amd64"), entry("b", "linux/amd64/v3"), entry("c", "linux/amd64/v2")),
    "c",
  );
  assert.equal(choose("linux/amd64", entry("a", "linux/386"), entry("b", "linux/arm64")), "a");
  assert.equal(choose("linux/arm64", entry("a", "linux/arm/v7"), entry("b", "linux/arm64")), "b");
  assert.equal(choose("linux/arm64", entry("a", "linux/arm/v6"), entry("b", "linux/arm/v7")), "b");
  assert.equal(choose("linux/amd64", entry("a", "windows/amd64"), entry("b", "unknown/unknown")), undefined);
  assert.equal(choose("linux/amd64", entry("a"), entry("b", "linux/amd64")), "b");
  assert.equal(choose("linux/amd64", entry("a", "unknown/unknown"), entry("b")), "b");
  assert.equal(choose("linux/amd64"), undefined);
});

test("platformMatches: what runs on what", () => {
  assert.ok(platformMatches(parsePlatform("linux/amd64"), { os: "linux", architecture: "386" }));
  assert.ok(!platformMatches(parsePlatform("linux/386"), { os: "linux", architecture: "amd64" }));
  assert.ok(platformMatches(parsePlatform("linux/arm64"), { os: "linux", architecture: "arm64", variant: "" }));
});

test("parsePlatform, platformCandidates: long texts and large numbers cost nothing", () => {
  for (const variant of ["v4000000000", "v", "vx", "v-1", "v0"]) {
    const candidates = (architecture: string): unknown => platformCandidates({ os: "linux", architecture, variant });
    assert.deepEqual(candidates("arm"), [{ os: "linux", architecture: "arm", variant }]);
    assert.deepEqual(candidates("amd64"), [
      { os: "linux", architecture: "amd64", variant },
      { os: "linux", architecture: "386" },
    ]);
  }
  assert.equal(platformCandidates({ os: "linux", architecture: "arm64", variant: "v8.4000000000" }).length, 6);
  assert.throws(
    () => parsePlatform("linux".repeat(1000)),
    (error: Error) => error.message.length < 300,
  );
});
