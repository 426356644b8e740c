import assert from "node:assert/strict";
import { test } from "node:test";
import type { Platform } from "@teu/specs/image";

import { choosePlatform } from "./choose-platform.ts";

function read(text: string): Platform {
  const [os = "", architecture = "", variant] = text.split("/");
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

test("choosePlatform: ranks candidates, first entry among equals", () => {
  const cases: readonly [string, string, string | null][] = [
    ["linux/amd64", "linux/arm64 linux/amd64", "linux/amd64"],
    ["linux/amd64", "linux/386 linux/amd64", "linux/amd64"],
    ["linux/amd64", "linux/386", "linux/386"],
    ["linux/amd64", "linux/amd64/v2", null],
    ["linux/amd64/v3", "linux/amd64 linux/amd64/v2 linux/amd64/v4", "linux/amd64/v2"],
    ["linux/x86_64", "linux/amd64", "linux/amd64"],
    ["linux/arm64", "linux/arm/v7 linux/arm64/v8", "linux/arm64/v8"],
    ["linux/arm64/v8", "linux/arm64", "linux/arm64"],
    ["linux/arm64", "linux/arm/v6 linux/arm/v7", "linux/arm/v7"],
    ["linux/arm64/v9.1", "linux/arm64/v8 linux/arm64/v9", "linux/arm64/v9"],
    ["linux/arm64/v9.0", "linux/arm64/v8.4 linux/arm64/v8.6", "linux/arm64/v8.4"],
    ["linux/arm", "linux/arm/v5 linux/arm/v6", "linux/arm/v6"],
    ["linux/arm/v6", "linux/arm/v7 linux/arm/v5", "linux/arm/v5"],
    ["linux/amd64", "windows/amd64 unknown/unknown", null],
    ["linux/s390x", "linux/amd64", null],
  ];
  for (const [wanted, there, want] of cases) {
    const entries = there.split(" ").map((text) => ({ text, platform: read(text) }));
    assert.equal(choosePlatform(entries, read(wanted))?.text ?? null, want, `${wanted} of ${there}`);
  }
  assert.equal(choosePlatform([{}], read("linux/amd64")), null);
});
