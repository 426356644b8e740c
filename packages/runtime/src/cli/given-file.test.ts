import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeHost } from "../testing/fake-host.ts";
import { readGivenFile } from "./given-file.ts";

const WORDS: readonly (readonly [string, readonly string[]])[] = [
  ["config.json", ["create", "-b", "/odd", "c2"]],
  ["--process", ["exec", "-p", "/odd/config.json", "c1"]],
  ["--resources", ["update", "-r", "/odd/config.json", "c1"]],
];
for (const [name, words] of WORDS) {
  for (const [kind, make] of [
    ["FIFO", (host: ReturnType<typeof fakeHost>) => host.kernel.fs.mkfifoAt(-100, "/odd/config.json", 0o600)],
    ["directory", (host: ReturnType<typeof fakeHost>) => host.makeDirectory("/odd/config.json")],
  ] as const) {
    test(`readGivenFile: a ${kind} in the place of ${name} is refused`, () => {
      const host = fakeHost();
      host.run(["run", "-d", "-b", "/bundle", "c1"]);
      host.makeDirectory("/odd");
      make(host);
      const outcome = host.run(words);
      assert.notEqual(outcome.code, 0);
      assert.match(outcome.err, /\/odd\/config.json is not a regular file/);
    });
  }
}

test("readGivenFile: an empty file is empty", () => {
  const host = fakeHost();
  host.writeFile("/empty", "");
  assert.equal(readGivenFile(host.kernel, "/empty", 10), "");
});
