// A file has no name before it is whole, whatever becomes of its writer; a temporary directory goes with its maker.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";

import { filesAddonPath } from "./addon.ts";
import { O_TMPFILE } from "./constants.ts";
import { TemporaryDirectory } from "./temporary-directory.ts";
import { WholeFile } from "./whole-file.ts";

const skip = filesAddonPath() === null && "the addon is not built";

class Scratch implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "teu-whole-"));
  at(name: string): string {
    return join(this.path, name);
  }
  names(): string[] {
    return readdirSync(this.path).toSorted();
  }
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** overlayfs had no nameless files for long. */
function hasNameless(directory: string): boolean {
  try {
    closeSync(openSync(directory, constants.O_WRONLY | O_TMPFILE));
    return true;
  } catch {
    return false;
  }
}

for (const named of [false, true]) {
  const how = named ? "hidden" : "nameless";

  test(`WholeFile: appears when published, and replaces what was there (${how})`, { skip }, async () => {
    using scratch = new Scratch();
    for (const content of ["one", "two, longer"]) {
      await using file = await WholeFile.create(scratch.at("x"), { named });
      await file.write(Buffer.from(content.slice(0, 2)));
      await file.write(Buffer.from(content.slice(2)));
      assert.deepEqual(
        scratch.names().filter((name) => !name.startsWith(".")),
        content === "one" ? [] : ["x"],
      );
      await file.publish();
      assert.deepEqual(scratch.names(), ["x"]);
      assert.equal(readFileSync(scratch.at("x"), "utf8"), content);
    }
    assert.equal(statSync(scratch.at("x")).mode & 0o777, 0o666 & ~process.umask());
  });

  test(`WholeFile: leaves what was there when it is not published (${how})`, { skip }, async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.at("x"), "old");
    {
      await using file = await WholeFile.create(scratch.at("x"), { named });
      await file.write(Buffer.from("new"));
    }
    assert.deepEqual(scratch.names(), ["x"]);
    assert.equal(readFileSync(scratch.at("x"), "utf8"), "old");
  });

  test(`WholeFile: what a killed writer left goes with the next one (${how})`, { skip }, async () => {
    using scratch = new Scratch();
    const program = `
      const { WholeFile } = await import(${JSON.stringify(join(import.meta.dirname, "whole-file.ts"))});
      const file = await WholeFile.create(${JSON.stringify(scratch.at("x"))}, { named: ${named} });
      await file.write(Buffer.from("half"));
      process.kill(process.pid, "SIGKILL");`;
    const { signal } = spawnSync(process.execPath, ["--input-type=module", "--eval", program]);
    assert.equal(signal, "SIGKILL");
    assert.equal(scratch.names().length, named || !hasNameless(scratch.path) ? 1 : 0);
    // Of somebody who is still writing, and of others.
    await using living = await WholeFile.create(scratch.at("x"), { named: true });
    writeFileSync(scratch.at(".x.notours"), "");
    await using file = await WholeFile.create(scratch.at("x"), { named });
    await file.publish();
    await living.publish();
    assert.deepEqual(scratch.names(), [".x.notours", "x"]);
  });
}

test("WholeFile: a symlink stays, its target is replaced", { skip }, async () => {
  using scratch = new Scratch();
  mkdirSync(scratch.at("d"));
  writeFileSync(scratch.at("d/file"), "old");
  symlinkSync("d/file", scratch.at("link"));
  await using file = await WholeFile.create(scratch.at("link"));
  await file.write(Buffer.from("new"));
  await file.publish();
  assert.equal(readFileSync(scratch.at("d/file"), "utf8"), "new");
  assert.deepEqual(scratch.names(), ["d", "link"]);
});

test("WholeFile: a fifo or device is written to, never replaced", { skip }, async () => {
  using scratch = new Scratch();
  spawnSync("mkfifo", [scratch.at("fifo")]);
  const reader = spawn("cat", [scratch.at("fifo")], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  reader.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const closed = new Promise((resolve) => reader.on("close", resolve));
  {
    await using file = await WholeFile.create(scratch.at("fifo"));
    await file.write(Buffer.from("through"));
    await file.publish();
  }
  await closed;
  assert.equal(text, "through");
  assert.ok(statSync(scratch.at("fifo")).isFIFO());
});

test("WholeFile: says why it cannot be written", { skip }, async () => {
  using scratch = new Scratch();
  await assert.rejects(WholeFile.create(scratch.at("no/x")), (error) => isTeuError(error, "not-found"));
  await assert.rejects(WholeFile.create(scratch.path), (error) => isTeuError(error, "invalid"));
});

test("TemporaryDirectory: gone when disposed; those of killed makers go with the next", { skip }, async () => {
  using scratch = new Scratch();
  const scope = createScope();
  const program = `
    const { createScope } = await import("@teu/base/scope");
    const { TemporaryDirectory } = await import(${JSON.stringify(join(import.meta.dirname, "temporary-directory.ts"))});
    const { writeFileSync } = await import("node:fs");
    const made = await TemporaryDirectory.make(createScope(), ${JSON.stringify(scratch.path)}, "t-");
    writeFileSync(made.path + "/content", "x");
    process.kill(process.pid, "SIGKILL");`;
  spawnSync(process.execPath, ["--input-type=module", "--eval", program], { cwd: import.meta.dirname });
  assert.equal(scratch.names().length, 1);
  mkdirSync(scratch.at("outside"));
  writeFileSync(scratch.at("outside/kept"), "");
  symlinkSync("outside", scratch.at("t-abcdef"));
  mkdirSync(scratch.at("t-toolongname"));
  mkdirSync(scratch.at("t-empty0"));
  mkdirSync(scratch.at("t-foreig"));
  writeFileSync(scratch.at("t-foreig/kept"), "");
  await using living = await TemporaryDirectory.make(scope, scratch.path, "t-");
  let second = "";
  {
    await using other = await TemporaryDirectory.make(scope, scratch.path, "t-");
    second = other.path;
    assert.ok(existsSync(living.path), "a living one is left alone");
    assert.equal(scratch.names().length, 6);
  }
  assert.ok(!existsSync(second));
  assert.deepEqual(readdirSync(scratch.at("outside")), ["kept"]);
  assert.deepEqual(readdirSync(scratch.at("t-foreig")), ["kept"], "not made by us: without a lock");
});
