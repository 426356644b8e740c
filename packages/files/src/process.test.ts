import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { closeFd } from "./open.ts";
import { collectChild, spawnDetached } from "./process.ts";

function run(script: string, pipes: number, env: Record<string, string> = {}): { pid: number; texts: string[] } {
  const { pid, pipes: ends } = spawnDetached({ program: "/bin/sh", args: ["-c", script], env, pipes });
  const texts = ends.map((fd) => {
    try {
      return readFileSync(fd, "utf8");
    } finally {
      closeFd(fd);
    }
  });
  return { pid, texts };
}

/** The pipes that this process has open, as "NUMBER pipe:[INODE]". */
function openPipes(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`].filter((text) => text.includes(" pipe:"));
    } catch {
      // The directory's own, closed by now.
      return [];
    }
  });
}

test("a detached program has its pipes, its environment and nothing else of ours", () => {
  process.env["TEU_TEST_SECRET"] = "ours";
  const script = 'echo "$0 $A $TEU_TEST_SECRET. $PWD" >&2; echo report >&3';
  const { pid, texts } = run(script, 2, { A: "b c" });
  delete process.env["TEU_TEST_SECRET"];
  assert.equal(texts[0], "/bin/sh b c . /\n");
  assert.equal(texts[1], "report\n");
  collectChild(pid);
});

test("it leads a session of its own, and no signal is ignored or blocked", () => {
  const { pid, texts } = run("read -r _ < /proc/self/stat; cat /proc/self/stat /proc/self/status >&2", 1);
  const [stat = "", ...status] = (texts[0] ?? "").split("\n");
  assert.equal(stat.split(") ")[1]?.split(" ")[3], String(pid), "session");
  for (const field of ["SigBlk", "SigIgn"])
    assert.match(status.find((line) => line.startsWith(field)) ?? "", /\t0+$/, field);
  collectChild(pid);
});

test("stdin and stdout are /dev/null", () => {
  const { pid, texts } = run("a=$(readlink /proc/$$/fd/0); b=$(readlink /proc/$$/fd/1); echo $a $b >&2", 1);
  assert.equal(texts[0], "/dev/null /dev/null\n");
  collectChild(pid);
});

test("a program that cannot be executed is an error with its path, and leaves no descriptor", () => {
  const directory = mkdtempSync(join(tmpdir(), "teu-process-"));
  try {
    const text = join(directory, "text");
    writeFileSync(text, "no program\n", { mode: 0o644 });
    const before = new Set(openPipes());
    const start = (program: string) => () => spawnDetached({ program, args: [], env: {}, pipes: 2 });
    assert.throws(start(join(directory, "none")), { code: "not-found", subject: join(directory, "none") });
    assert.throws(start(text), { code: "denied" });
    assert.throws(start("/bin/sh\0x"), { code: "invalid" });
    // Those of earlier tests may close meanwhile; none may be new.
    assert.deepEqual(
      openPipes().filter((pipe) => !before.has(pipe)),
      [],
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a collected child is no zombie, also one that ends later", async () => {
  const { pid } = run("exec 2>&-; sleep 0.2", 1);
  collectChild(pid);
  const gone = (): boolean => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  };
  for (let tries = 0; tries < 200 && !gone(); tries++) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(gone(), "still a process, or a zombie");
});

test("exitNow ends with the code and runs no handler; without the addon it is Node's own way out", () => {
  const script = `
    import { exitNow } from ${JSON.stringify(join(import.meta.dirname, "process.ts"))};
    process.on("exit", () => console.log("handler"));
    exitNow(7);`;
  for (const [addon, said] of [
    [process.env["TEU_FILES_ADDON"] ?? "", ""],
    ["/nonexistent/addon.node", "handler\n"],
  ] as const) {
    const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      env: { ...process.env, TEU_FILES_ADDON: addon },
    });
    assert.equal(status, 7);
    assert.equal(stdout, said);
  }
});
