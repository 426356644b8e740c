// Tests of the image-spec documents: goldens in testdata/image, limits, what is kept and what is refused.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import {
  DOCUMENT_LIMITS,
  EMPTY_DESCRIPTOR,
  parseDescriptor,
  parseImageConfig,
  parseImageLayout,
  parseIndex,
  parseManifest,
} from "./image.ts";

const TESTDATA = new URL("../testdata/image/", import.meta.url);
const PARSERS = { manifest: parseManifest, index: parseIndex, config: parseImageConfig };

const REFUSED: Readonly<Record<string, string>> = {
  "manifest-and-index.json": 'cannot read image manifest: it has "manifests" and so is not only an image manifest',
  "index-and-manifest.json": 'cannot read image index: it has "layers" and so is not only an image index',
  "index-case-variant.json": 'cannot read image index: it has "Manifests", which some readers take for "manifests"',
  "index-duplicate-name.json": 'cannot read image index: duplicate name "manifests" at line 1, column 35',
  "index-byte-order-mark.json": 'cannot read image index: want a value, found "\ufeff" at line 1, column 1',
  "index-negative-size.json": "cannot read image index: /manifests/0/size must be >= 0, is -1",
  "index-digest-is-path.json": "cannot read image index: /manifests/0/digest must match ",
  "index-digest-upper-case.json": "cannot read image index: /manifests/0/digest must match ",
  "manifest-schema1.json": 'cannot read image manifest: it has "fsLayers" and so is not only an image manifest',
  "config-case-variant.json": 'cannot read image config: it has "Config", which some readers take for "config"',
  "config-unknown-rootfs.json": 'cannot read image config: /rootfs/type must be "layers", is "squash"',
  "config-env-is-text.json": 'cannot read image config: /config/Env must be array, is "A=b"',
};

function parserOf(file: string): (bytes: Uint8Array) => unknown {
  const kind = file.split(/[-.]/)[0] as keyof typeof PARSERS;
  return PARSERS[kind];
}

for (const file of readdirSync(new URL("valid/", TESTDATA))) {
  test(`parse: keeps every member that is not null when given ${file}`, () => {
    const bytes = readFileSync(new URL(`valid/${file}`, TESTDATA));
    const value = parserOf(file)(bytes);
    assert.deepEqual(value, withoutKnownNulls(JSON.parse(bytes.toString())));
  });
}

// In the goldens, null stands only for known optional members, in "Volumes" (a set) and in a vendor's array.
function withoutKnownNulls(value: unknown, name = ""): unknown {
  if (typeof value !== "object" || value === null || (Array.isArray(value) && name === "vendor")) return value;
  if (Array.isArray(value)) return value.map((item) => withoutKnownNulls(item));
  const entries = Object.entries(value).filter(([, member]) => name === "Volumes" || member !== null);
  return Object.fromEntries(entries.map(([key, member]) => [key, withoutKnownNulls(member, key)]));
}

test("parse: every invalid golden has its message here", () => {
  assert.deepEqual(readdirSync(new URL("invalid/", TESTDATA)).sort(), Object.keys(REFUSED).sort());
});

for (const [file, want] of Object.entries(REFUSED)) {
  test(`parse: invalid when given ${file}`, () => {
    const bytes = readFileSync(new URL(`invalid/${file}`, TESTDATA));
    assert.throws(
      () => parserOf(file)(bytes),
      (error: Error & { code?: string }) => error.code === "invalid" && error.message.startsWith(want),
    );
  });
}

test("parseManifest: invalid when larger than the limit, before it is decoded", () => {
  assert.throws(() => parseManifest(new Uint8Array(DOCUMENT_LIMITS.manifest + 1).fill(0xff)), {
    message: `cannot read image manifest: ${DOCUMENT_LIMITS.manifest + 1} bytes are more than the limit of ${DOCUMENT_LIMITS.manifest}`,
  });
});

test("parseManifest: invalid when not UTF-8", () => {
  assert.throws(() => parseManifest(Uint8Array.of(0x22, 0xff, 0x22)), {
    message: "cannot read image manifest: not UTF-8 at byte 1",
  });
});

test("parseManifest: invalid when it is not an object", () => {
  assert.throws(() => parseManifest(Buffer.from("[]")), {
    message: "cannot read image manifest: it must be an object",
  });
});

test("parseManifest: invalid when its media type is another one", () => {
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    config: EMPTY_DESCRIPTOR,
    layers: [],
  });
  assert.throws(
    () => parseManifest(Buffer.from(text)),
    /\/mediaType must match .*, is "application\/vnd.oci.image.index.v1\+json"/,
  );
});

test("parseManifest: 40,000 annotations, 4 MiB of them, are read", () => {
  const annotations = Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`key-${i}`, "v".repeat(80)]));
  const text = JSON.stringify({ schemaVersion: 2, config: EMPTY_DESCRIPTOR, layers: [], annotations });
  assert.equal(Object.keys(parseManifest(Buffer.from(text)).annotations ?? {}).length, 40_000);
});

const DESCRIPTORS: readonly { name: string; change: Record<string, unknown>; want: RegExp | undefined }[] = [
  { name: "as it is", change: {}, want: undefined },
  { name: "an unknown algorithm that fits the grammar", change: { digest: "a1.b2+c3:Zz_=-" }, want: undefined },
  { name: "a blake3 digest", change: { digest: `blake3:${"0".repeat(64)}` }, want: undefined },
  { name: "a sha256 that is too short", change: { digest: "sha256:00" }, want: /\/digest must match/ },
  { name: "a sha512 of 64 digits", change: { digest: `sha512:${"0".repeat(64)}` }, want: /\/digest must match/ },
  { name: "a slash in an unknown algorithm", change: { digest: "x:../etc" }, want: /\/digest must match/ },
  {
    name: "a newline behind the digest",
    change: { digest: `sha256:${"0".repeat(64)}\n` },
    want: /\/digest must match/,
  },
  { name: "a size that is a fraction", change: { size: 0.5 }, want: /\/size must be integer, is 0.5/ },
  { name: "a size that is text", change: { size: "2" }, want: /\/size must be integer, is "2"/ },
  { name: "no size", change: { size: null }, want: /^cannot read descriptor: it must have "size"$/ },
  { name: "data that is not base64", change: { data: "!" }, want: /\/data must match/ },
  { name: "a media type without a slash", change: { mediaType: "text" }, want: /\/mediaType must match/ },
  { name: "header injection in a media type", change: { mediaType: "a/b\r\nx: y" }, want: /\/mediaType must match/ },
  { name: "platform without os", change: { platform: { architecture: "arm" } }, want: /\/platform must have "os"/ },
  {
    name: "annotations that are not text",
    change: { annotations: { "a/b~c": 1 } },
    want: /\/annotations\/a~1b~0c must be string, is 1/,
  },
  { name: "null for an optional member", change: { urls: null, annotations: null, platform: null }, want: undefined },
];

for (const { name, change, want } of DESCRIPTORS) {
  test(`parseDescriptor: ${want === undefined ? "taken" : "invalid"} when given ${name}`, () => {
    const value = { ...EMPTY_DESCRIPTOR, ...change };
    if (want === undefined) parseDescriptor(value);
    else
      assert.throws(
        () => parseDescriptor(value),
        (error: Error) => want.test(error.message),
      );
  });
}

test("parseDescriptor: does not change its argument when it drops nulls", () => {
  const value = { ...EMPTY_DESCRIPTOR, urls: null };
  assert.equal("urls" in parseDescriptor(value), false);
  assert.equal(value.urls, null);
});

test("parseImageLayout: only 1.0.0", () => {
  assert.equal(parseImageLayout(Buffer.from('{"imageLayoutVersion": "1.0.0"}')).imageLayoutVersion, "1.0.0");
  assert.throws(() => parseImageLayout(Buffer.from('{"imageLayoutVersion": "2.0.0"}')), { code: "invalid" });
});
