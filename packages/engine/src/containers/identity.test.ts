import assert from "node:assert/strict";
import { test } from "node:test";

import { resolveIdentity } from "./identity.ts";

const PASSWD =
  "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:\n2000:x:5:6::/odd:\nbad:x:99999999999:1::/x:\nbroken\nevil:x:1:1::/a=b:\n";
const GROUP = "root:x:0:\napps:x:1001:\nwheel:x:10:root,app\nvideo:x:44:app\n";

test("resolveIdentity: names, numbers and groups", () => {
  const cases: { user: string; add?: string[]; want: [number, number, number[], string] }[] = [
    { user: "", want: [0, 0, [0, 10], "/root"] },
    { user: "root", want: [0, 0, [0, 10], "/root"] },
    { user: "app", want: [1000, 1001, [10, 44, 1001], "/home/app"] },
    { user: "1000", want: [1000, 1001, [10, 44, 1001], "/home/app"] },
    { user: "4242", want: [4242, 0, [], "/"] },
    { user: "4242:44", want: [4242, 44, [], "/"] },
    { user: "app:video", want: [1000, 44, [], "/home/app"] },
    { user: "app:0", add: ["wheel", "77"], want: [1000, 0, [0, 10, 77], "/home/app"] },
    // A user that is named like a number is that user.
    { user: "2000", want: [5, 6, [], "/odd"] },
    // A home that would break the environment is not believed.
    { user: "evil", want: [1, 1, [], "/"] },
  ];
  for (const { user, add = [], want } of cases) {
    const { uid, gid, additionalGids, home } = resolveIdentity(user, add, PASSWD, GROUP);
    assert.deepEqual([uid, gid, additionalGids, home], want, user);
  }
});

test("resolveIdentity: refuses who is not there and numbers out of range", () => {
  const cases = [
    { user: "nobody", code: "not-found" },
    { user: "app:nogroup", code: "not-found" },
    { user: "4294967295", code: "invalid" },
    { user: "-1", code: "not-found" },
    { user: "bad", code: "not-found" },
    { user: "0x10", code: "not-found" },
  ];
  for (const { user, code } of cases) assert.throws(() => resolveIdentity(user, [], PASSWD, GROUP), { code }, user);
  assert.throws(() => resolveIdentity("", ["nogroup"], "", ""), { code: "not-found" });
});

test("resolveIdentity: hostile files neither throw nor grant", () => {
  for (const text of ["\0", ":::::::", "root", `root:x:${"9".repeat(400)}:0::/:`, "a".repeat(100_000)]) {
    assert.equal(resolveIdentity("", [], text, text).uid, 0);
    assert.equal(resolveIdentity("5:6", [], text, text).uid, 5);
  }
});
