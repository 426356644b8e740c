// CVE-2019-5736: who holds a process of the runtime through /proc/PID/exe cannot write to the program on disk, not even when the process has
// gone. The first case shows that the attack works without the defence. Needs root.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

const TRIPLE = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-gnu`;
const HOST = join(import.meta.dirname, "../../native/target", TRIPLE, "release/teu-dev");
const RUNTIME = realpathSync(join(import.meta.dirname, "../../bin/teu-runtime"));
// It also tries to make the mount that it runs from writable again, as the root of a container could.
const PROGRAM = `
  import { imageSealed } from "sys:process";
  import { mountSetattr } from "sys:mount";
  import { print } from "sys:host";
  import { read } from "sys:fs";
  let change = "changed";
  try {
    mountSetattr(-100, "/proc/self/exe", 0, { set: 0, clear: 1, propagation: 0, usernsFd: -1 });
  } catch (error) {
    change = error.errno;
  }
  print(String(imageSealed()) + " " + change);
  read(0, 1);
`;
const USER = ["setpriv", "--reuid", "41234", "--regid", "41234", "--clear-groups"];
/** Root of a user namespace without the right to mount and without further user namespaces. */
const CONFINED = [
  "unshare",
  "--user",
  "--map-root-user",
  "sh",
  "-c",
  'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-sys_admin "$@"',
  "sh",
];

interface Case {
  readonly name: string;
  readonly through?: readonly string[];
  readonly command: readonly string[];
  readonly sealed: boolean;
  /** What the process's image is called. */
  readonly image: RegExp;
}

const cases: readonly Case[] = [
  { name: "without the defence the program is overwritten", command: ["run"], sealed: false, image: /host$/ },
  { name: "a read-only mount keeps it", command: ["seal", "mount"], sealed: true, image: /^\/$/ },
  { name: "a sealed copy in memory keeps it", command: ["seal", "copy"], sealed: true, image: /^\/memfd:/ },
  {
    name: "a user without privileges has the mount from a user namespace",
    through: USER,
    command: ["seal", "mount"],
    sealed: true,
    image: /^\/$/,
  },
  {
    name: "a user who may have no user namespaces has the copy",
    through: CONFINED,
    command: ["seal", "mount"],
    sealed: true,
    image: /^\/memfd:/,
  },
];

for (const { name, through = [], command, sealed, image: called } of cases) {
  test(`sealed image: ${name}`, { skip: process.geteuid?.() !== 0 && "needs root" }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "teu-sealed-"));
    t.after(() => {
      rmSync(directory, { recursive: true, force: true });
    });
    const [host, program] = [join(directory, "host"), join(directory, "program.js")];
    copyFileSync(HOST, host);
    chmodSync(host, 0o755);
    chmodSync(directory, 0o755);
    writeFileSync(program, PROGRAM);
    const before = digest(host);

    const [file = "", ...words] = [...through, host, ...command, program];
    const child = spawn(file, words, { stdio: ["pipe", "pipe", "inherit"] });
    const [isSealed, change] = (await firstLine(child)).split(" ");
    assert.equal(isSealed, String(sealed));
    assert.match(change ?? "", /^E/, "its mount cannot be changed");
    assert.match(readlinkSync(`/proc/${child.pid}/exe`), called);
    const image = `/proc/${child.pid}/exe`;
    assert.throws(() => openSync(image, constants.O_WRONLY), /ETXTBSY|EROFS|EPERM|EACCES/);
    const held = openSync(image, constants.O_RDONLY);
    child.stdin.end();
    await once(child, "exit");
    // Now nobody runs it any more: ETXTBSY does not protect it.
    const written = tryToWrite(`/proc/self/fd/${held}`);
    closeSync(held);
    assert.equal(written, !sealed);
    assert.equal(digest(host) === before, sealed);
  });
}

test(
  "sealed image: teu-runtime create runs from one",
  { skip: process.geteuid?.() !== 0 && "needs root" },
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "teu-sealed-"));
    // A hook that does not end keeps it waiting for a second; then it undoes everything.
    execFileSync(RUNTIME, ["spec", "--bundle", directory]);
    const config = JSON.parse(readFileSync(join(directory, "config.json"), "utf8")) as Record<string, unknown>;
    const hooks = { prestart: [{ path: "/bin/sleep", args: ["sleep", "30"], timeout: 1 }] };
    const process = { ...(config["process"] as object), terminal: false };
    writeFileSync(join(directory, "config.json"), JSON.stringify({ ...config, process, hooks }));
    mkdirSync(join(directory, "rootfs"));
    const create = ["--root", join(directory, "state"), "create", "--bundle", directory, basename(directory)];
    const child = spawn(RUNTIME, create, { stdio: "ignore" });
    const ended = once(child, "exit");
    t.after(async () => {
      await ended;
      rmSync(directory, { recursive: true, force: true });
    });
    const image = `/proc/${child.pid}/exe`;
    const deadline = Date.now() + 10_000;
    while (readlinkSync(image) === RUNTIME && Date.now() < deadline) await setTimeout(5);
    assert.notEqual(readlinkSync(image), RUNTIME);
    assert.throws(() => openSync(image, constants.O_WRONLY), /EROFS|ETXTBSY/);
  },
);

function digest(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = "";
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  return text.trim();
}

function tryToWrite(path: string): boolean {
  let fd = -1;
  try {
    fd = openSync(path, constants.O_WRONLY);
    return writeSync(fd, "overwritten") > 0;
  } catch {
    return false;
  } finally {
    if (fd >= 0) closeSync(fd);
  }
}
