import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";

import { tempRoot } from "@teu/testkit/temp-root";

import { ContextTree } from "./context-tree.ts";
import { parseIgnoreFile } from "./ignore-file.ts";
import { lookUpOwner } from "./user-names.ts";

const PASSWD = [
  "root:x:0:0:root:/root:/bin/sh",
  "app:x:1000:1001::/home/app:",
  "2000:x:5:6::/odd:",
  "nobody:x:4294967294:4294967294::/:",
  "beyond:x:4294967295:0::/:",
  `far:x:${"9".repeat(40)}:0::/:`,
  ":x:7:7::/:",
  "broken",
].join("\n");
const GROUP = "root:x:0:\napps:x:1001:app\nbeyond:x:4294967295:\n";

test("lookUpOwner: names and numbers of an image; ids that no file can have are none", async () => {
  await using root = await tempRoot();
  await mkdir(root.join("etc"));
  await writeFile(root.join("etc/passwd"), PASSWD);
  await writeFile(root.join("etc/group"), GROUP);
  using tree = ContextTree.open(root.path, parseIgnoreFile(""));
  const cases: readonly (readonly [
    text: string,
    bareGroup: "same" | "passwd",
    owner: readonly [number, number] | string,
  ])[] = [
    ["app", "same", [1000, 1001]],
    ["app", "passwd", [1000, 1001]],
    ["1000", "same", [1000, 1000]],
    ["1000", "passwd", [1000, 1001]],
    ["4242", "passwd", [4242, 0]],
    ["app:root", "same", [1000, 0]],
    ["app:77", "same", [1000, 77]],
    ["12:apps", "same", [12, 1001]],
    ["nobody", "same", [4_294_967_294, 4_294_967_294]],
    // A number is no name, whatever passwd calls its users.
    ["2000", "passwd", [2000, 0]],
    ["7", "passwd", [7, 0]],
    ["beyond", "same", "not-found"],
    ["far", "same", "not-found"],
    ["broken", "same", "not-found"],
    ["app:beyond", "same", "not-found"],
    ["4294967295", "same", "invalid"],
  ];
  for (const [text, bareGroup, owner] of cases) {
    if (typeof owner === "string") assert.throws(() => lookUpOwner(tree, text, bareGroup), { code: owner }, text);
    else {
      const { uid, gid } = lookUpOwner(tree, text, bareGroup);
      assert.deepEqual([uid, gid], owner, `${text} ${bareGroup}`);
    }
  }
});
