// What load, import and copy say of files that are no images: which file, what was found, what is wanted.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { CliHost, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
let host: CliHost;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  writeFileSync(join(host.directory, "junk.tar"), "junk\n");
  writeFileSync(join(host.directory, "empty.tar"), "");
  mkdirSync(join(host.directory, "directory"));
});
after(async () => {
  if (skip === undefined) await host[Symbol.asyncDispose]();
});

const SAVED = /\nhint: want what `docker save`, `podman save` or `skopeo copy ... oci-archive:` writes/;
const CASES: readonly (readonly [args: readonly string[], first: RegExp, hint?: RegExp])[] = [
  [["load", "-i", "junk.tar"], /^teu: cannot read archive "junk\.tar": it is no image archive, or damaged: /, SAVED],
  [["load", "-i", "directory"], /^teu: cannot read archive "directory": it is a directory\n/, /\nhint: .* oci:DIR /],
  [["load", "-i", "nowhere"], /^teu: cannot read archive "nowhere": no such file or directory/],
  [
    ["copy", "docker-archive:junk.tar", "oci:o:v1"],
    /^teu: cannot read archive "docker-archive:junk\.tar": it is /,
    SAVED,
  ],
  [["copy", "oci-archive:junk.tar", "oci:o:v1"], /^teu: cannot read archive "oci-archive:junk\.tar": it is /, SAVED],
  [["import", "junk.tar", "a:1"], /^teu: cannot read layer "junk\.tar": /, /\nhint: want a tar archive/],
  [["import", "empty.tar", "a:1"], /^teu: cannot read layer "empty\.tar": it is empty\n/, /\nhint: want a tar/],
  [["import", "-c", "FROM x", "junk.tar", "a:1"], /^teu: cannot change config "FROM": /, /\nhint: use one of CMD, /],
  [["import", "-c", "BOGUS x", "junk.tar", "a:1"], /^teu: cannot change config "BOGUS": /, /\nhint: use one of CMD, /],
  [["import", "-c", "USER", "junk.tar", "a:1"], /^teu: cannot change config "USER": USER needs /],
];

for (const [args, first, hint] of CASES) {
  test(`errors of files: ${args.join(" ")}`, { skip }, async () => {
    const { code, stdout, stderr } = await host.teu(args, { cwd: host.directory });
    assert.deepEqual([code, stdout], [1, ""], stderr);
    assert.match(stderr, first);
    if (hint !== undefined) assert.match(stderr, hint);
  });
}

test("errors of files: what comes on stdin is called so", { skip }, async () => {
  const { code, stderr } = await host.teu(["load"], { input: "junk\n" });
  assert.equal(code, 1);
  assert.match(stderr, /^teu: cannot read archive "standard input": it is no image archive, or damaged: /);
});
