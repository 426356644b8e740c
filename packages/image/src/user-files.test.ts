import assert from "node:assert/strict";
import { test } from "node:test";

import { parseGroup, parsePasswd } from "./user-files.ts";

const LARGEST = 2 ** 31 - 1;

test("parsePasswd: users in the file's order; lines that do not fit are passed over", () => {
  const root = { name: "root", uid: 0, gid: 0, home: "/root" };
  const cases: readonly (readonly [line: string, user: object | null])[] = [
    ["root:x:0:0:root:/root:/bin/sh", root],
    ["root:x:0:0:root:/root", root],
    ["a:x:1:2", { name: "a", uid: 1, gid: 2, home: "/" }],
    ["a:x:1:2::relative:", { name: "a", uid: 1, gid: 2, home: "/" }],
    ["a:x:1:2::/x=y:", { name: "a", uid: 1, gid: 2, home: "/" }],
    ["a:x:1:2::/x\0y:", { name: "a", uid: 1, gid: 2, home: "/" }],
    ["5:x:1:2::/:", { name: "5", uid: 1, gid: 2, home: "/" }],
    ["a:x:2147483647:2::/:", { name: "a", uid: LARGEST, gid: 2, home: "/" }],
    ["a:x:2147483648:2::/:", null],
    ["a:x:1:2147483648::/:", null],
    [`a:x:${"9".repeat(400)}:2::/:`, null],
    ["a:x:-1:2::/:", null],
    ["a:x:0x1:2::/:", null],
    ["a:x: 1:2::/:", null],
    ["a:x::2::/:", null],
    ["a:x:1::/:", null],
    [":x:1:2::/:", null],
    ["+::::::", null],
    ["#comment", null],
    ["", null],
  ];
  for (const [line, user] of cases)
    assert.deepEqual(
      parsePasswd(`${line}\nroot:x:0:0:root:/root:`, LARGEST),
      [...(user === null ? [] : [user]), root],
      line,
    );
  assert.equal(parsePasswd("a:x:4294967294:0::/:", 2 ** 32 - 2)[0]?.uid, 4_294_967_294);
});

test("parseGroup: groups with their members; lines that do not fit are passed over", () => {
  const cases: readonly (readonly [line: string, group: object | null])[] = [
    ["root:x:0:", { name: "root", gid: 0, members: [] }],
    ["root:x:0", { name: "root", gid: 0, members: [] }],
    ["wheel:x:10:root,,app", { name: "wheel", gid: 10, members: ["root", "app"] }],
    ["a:x:2147483648:", null],
    ["a:x:-1:", null],
    ["a:x::root", null],
    [":x:1:", null],
    ["a", null],
  ];
  for (const [line, group] of cases) assert.deepEqual(parseGroup(line, LARGEST), group === null ? [] : [group], line);
});
