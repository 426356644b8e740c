// GPG signatures, keyrings and registries.d: what is not exactly what was signed is refused with one of our errors, in bounded time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { type ErrorCode, isTeuError } from "@teu/base/errors";
import { readKeyrings } from "@teu/distribution/signing/gpg/keyring";
import { openSignedMessage } from "@teu/distribution/signing/gpg/signed-message";
import { parseAddress } from "@teu/distribution/signing/lookaside/lookaside";
import { parseRegistriesD } from "@teu/distribution/signing/lookaside/registries-d";
import fc from "fast-check";

import { atomicPayload, gpgSigned, makeGpgKey } from "../gpg-keys.ts";
import { accepted, damaged, nearly, runs } from "./settings.ts";

const key = await makeGpgKey();
const payload = atomicPayload({ digest: `sha256:${"0".repeat(64)}`, reference: "registry.example/team/app:v1" });
const message = await gpgSigned(payload, key);

/** As `accepted`, of what has to be waited for. */
async function acceptedLater<T>(parse: () => Promise<T>, ...codes: readonly ErrorCode[]): Promise<T | null> {
  try {
    return await parse();
  } catch (error) {
    assert.ok(isTeuError(error) && codes.includes(error.code), `threw ${String(error)}`);
    assert.ok(error.message.length < 4000, "the message repeats its input without end");
    return null;
  }
}

test("fuzz openSignedMessage: the text that was signed, or none", async () => {
  const keys = await readKeyrings([key.keyring]);
  const compressed = Buffer.concat([Buffer.from([0xa3, 0x01]), deflateRawSync(message)]);
  const bytes = fc.oneof(damaged(message), damaged(compressed), fc.uint8Array({ maxLength: 200 }));
  await fc.assert(
    fc.asyncProperty(bytes, async (given) => {
      const text = await acceptedLater(() => openSignedMessage(given, keys, new Date()), "invalid", "denied");
      if (text !== null) assert.deepEqual(Buffer.from(text), payload);
    }),
    runs(),
  );
});

test("fuzz openSignedMessage: what is damaged inside of what is compressed is damaged", async () => {
  const keys = await readKeyrings([key.keyring]);
  await fc.assert(
    fc.asyncProperty(damaged(message), async (given) => {
      const folded = Buffer.concat([Buffer.from([0xa3, 0x01]), deflateRawSync(given)]);
      const text = await acceptedLater(() => openSignedMessage(folded, keys, new Date()), "invalid", "denied");
      if (text !== null) assert.deepEqual(Buffer.from(text), payload);
    }),
    runs(),
  );
});

test("fuzz readKeyrings: keys, or an error about the keyring", async () => {
  const armored = Buffer.from(key.publicKey.armor());
  const bytes = fc.oneof(damaged(key.keyring), damaged(armored), fc.uint8Array({ maxLength: 200 }));
  await fc.assert(
    fc.asyncProperty(bytes, async (given) => {
      const keys = await acceptedLater(() => readKeyrings([key.keyring, given]), "invalid");
      assert.ok(keys === null || keys.length > 0);
      // A key that was damaged verifies nothing that it has not signed, and nothing else falls over it.
      if (keys === null) return;
      const text = await acceptedLater(() => openSignedMessage(message, keys, new Date()), "denied");
      if (text !== null) assert.deepEqual(Buffer.from(text), payload);
    }),
    runs(),
  );
});

test("fuzz parseRegistriesD: addresses, or an error about the file", () => {
  const pieces = [
    ...["docker", "default-docker", "lookaside", "sigstore", ":", ": ", "\n", "\n  ", "\n    ", "- ", "{", "}"],
    ...["[", "]", ",", "&a ", "*a", "<<", "!!map", "? ", "| ", "'", '"', "#", "null", "1", "file:///x", "a.example"],
  ];
  fc.assert(
    fc.property(fc.array(nearly(pieces), { maxLength: 2 }), (texts) => {
      const files = texts.map((text, i) => [`${i}.yaml`, text] as const);
      const rules = accepted(() => parseRegistriesD(files), "invalid");
      for (const address of rules?.scopes.values() ?? []) assert.ok(address === null || typeof address === "string");
    }),
    runs(),
  );
});

test("fuzz parseAddress: a directory or a web server, without a user", () => {
  const pieces = [
    "file:",
    "http:",
    "https:",
    "/",
    "//",
    "///",
    "a",
    ".",
    "..",
    "@",
    ":",
    "%2f",
    "%00",
    "?",
    "#",
    "[",
    "]",
  ];
  fc.assert(
    fc.property(nearly(pieces), (text) => {
      const url = accepted(() => parseAddress(text), "invalid");
      if (url === null) return;
      assert.deepEqual([url.username, url.password, url.hash], ["", "", ""]);
      assert.ok(["file:", "http:", "https:"].includes(url.protocol) && (url.protocol !== "file:" || url.host === ""));
    }),
    runs(),
  );
});
