// Owners and devices as attributes: what umoci and containers/storage write, and back.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { decodeDevice, decodeOwner, encodeDevice, encodeOwner } from "./rootless.ts";

const id = fc.integer({ min: 0, max: 0xffff_fffe });

test("encodeOwner, decodeOwner: as umoci writes them, and back", () => {
  const hex = (owner: { uid: number; gid: number }): string | null => {
    const value = encodeOwner(owner);
    return value === null ? null : Buffer.from(value).toString("hex");
  };
  assert.equal(hex({ uid: 0, gid: 0 }), null);
  assert.equal(hex({ uid: 3, gid: 4 }), "08031004");
  assert.equal(hex({ uid: 70_000, gid: 0 }), "08f0a20410ffffffff0f");
  fc.assert(
    fc.property(id, id, (uid, gid) => {
      const value = encodeOwner({ uid, gid });
      if (value !== null) assert.deepEqual(decodeOwner(value), { uid, gid });
    }),
  );
});

test("encodeDevice, decodeDevice: as containers/storage writes them, and back", () => {
  const device = { uid: 0, gid: 5, mode: 0o020620, major: 4, minor: 64 };
  assert.equal(Buffer.from(encodeDevice(device)).toString(), "0:5:0620:char-4-64");
  fc.assert(
    fc.property(
      id,
      id,
      fc.integer({ min: 0, max: 0o7777 }),
      fc.boolean(),
      id,
      id,
      (uid, gid, mode, block, major, minor) => {
        const given = { uid, gid, mode: mode | (block ? 0o060000 : 0o020000), major, minor };
        assert.deepEqual(decodeDevice(encodeDevice(given)), given);
      },
    ),
  );
});

test("decodeOwner, decodeDevice: null or an owner for any bytes", () => {
  for (const text of ["", "0:0:0644", "0:0:0644:file", "0:0:0644:char-1", "a:0:0644:char-1-3", "0:0:0644:char-1-3\n"])
    assert.equal(decodeDevice(Buffer.from(text)), null, text);
  for (const hex of ["08", "08ff", "18001000", "08ffffffffff0f1000", "ff"])
    assert.equal(decodeOwner(Buffer.from(hex, "hex")), null, hex);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 16 }), (bytes) => {
      const owner = decodeOwner(bytes);
      assert.ok(owner === null || (owner.uid <= 0xffff_ffff && owner.gid <= 0xffff_ffff));
      decodeDevice(bytes);
    }),
  );
});
