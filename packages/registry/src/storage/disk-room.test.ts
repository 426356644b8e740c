import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";

import { tempRoot } from "@teu/testkit/temp-root";

import { DiskRoom, type DiskState, dropBallast, layBallast } from "./disk-room.ts";

const MIB = 1 << 20;

test("DiskRoom: refuses what would take the index's room, asks the disk now and then, and again when it refused", () => {
  let disk: DiskState = { size: 1000 * MIB, free: 100 * MIB };
  let [looks, now] = [0, 0];
  const room = new DiskRoom(
    () => {
      looks++;
      return disk;
    },
    () => now,
  );
  for (let i = 0; i < 16; i++) room.take(MIB);
  assert.equal(looks, 1);
  room.take(MIB);
  assert.equal(looks, 2);
  now = 1001;
  disk = { ...disk, free: 64 * MIB };
  assert.throws(() => room.take(1), { code: "exhausted" });
  assert.throws(() => room.take(1), { code: "exhausted" });
  assert.equal(looks, 4);
  disk = { ...disk, free: 65 * MIB };
  room.take(MIB);
  assert.throws(() => room.take(2 * MIB), { code: "exhausted" });
  // An eighth of a small one.
  disk = { size: 80 * MIB, free: 11 * MIB };
  now = 3000;
  room.take(MIB);
  assert.throws(() => room.take(2 * MIB), { code: "exhausted" });
  // One batch larger than a step.
  disk = { size: 1000 * MIB, free: 500 * MIB };
  room.take(40 * MIB);
});

test("layBallast, dropBallast: laid down once where there is room, kept while there is", async () => {
  await using root = await tempRoot();
  const file = root.join("ballast");
  await layBallast(root.path, file);
  const { size, mtimeMs } = statSync(file);
  assert.ok(size > 0 && size <= 8 * MIB);
  await layBallast(root.path, file);
  await dropBallast(root.path, file);
  assert.deepEqual([statSync(file).size, statSync(file).mtimeMs], [size, mtimeMs]);
});
