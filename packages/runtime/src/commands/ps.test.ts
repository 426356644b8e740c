import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@teu/sys/fake/inode";
import type { Kernel } from "@teu/sys/kernel";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";

interface Ps {
  readonly host: FakeHost;
  readonly pid: number;
  /** The options of each ps that was run. */
  readonly asked: string[][];
  run(...words: string[]): string;
}

/** A host with one container, whose ps answers by its options: a text, or null for failure. */
function withPs(answer: (options: string, pid: number) => string | null): Ps {
  const host = fakeHost();
  host.writeFile("/usr/bin/ps", "", 0o755);
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  const { pid } = JSON.parse(host.run(["state", "c1"]).out) as { pid: number };
  const asked: string[][] = [];
  let code = 0;
  const kernel: Kernel = {
    ...host.kernel,
    process: {
      ...host.kernel.process,
      spawn: ({ argv, fds }) => {
        asked.push(argv.slice(1));
        const text = answer(argv.slice(1).join(" "), pid);
        code = text === null ? 1 : 0;
        host.kernel.fs.write(fds[1] ?? -1, encode(text ?? ""));
        return { pid: 4711, pidfd: host.kernel.fs.dup(fds[1] ?? -1, 3) };
      },
      waitpid: (child) => ({ pid: child, kind: "exited", code }),
    },
  };
  return { host, pid, asked, run: (...words) => host.run(["ps", "c1", ...words], kernel).out };
}

const HEAD = "UID   PID CMD";
const EVERY = (pid: number): string => `${HEAD}\nroot    1 init\nroot    ${pid} daemon\n`;

test("ps: the host's ps is asked for the container's processes alone", () => {
  const ps = withPs((_options, pid) => `${HEAD}\nroot    ${pid} daemon\n`);
  assert.equal(ps.run(), `${HEAD}\nroot    ${ps.pid} daemon`);
  assert.deepEqual(ps.asked, [["-f", "-q", String(ps.pid)]]);
});

test("ps: for all, when this ps knows no -q", () => {
  const ps = withPs((options, pid) => (options.includes("-q") ? null : EVERY(pid)));
  assert.equal(ps.run(), `${HEAD}\nroot    ${ps.pid} daemon`);
  assert.deepEqual(ps.asked.at(-1), ["-ef"]);
});

test("ps: options of the caller's are ps's own, and the lines are chosen from what it says", () => {
  const ps = withPs((_options, pid) => EVERY(pid));
  assert.equal(ps.run("-x"), `${HEAD}\nroot    ${ps.pid} daemon`);
  assert.deepEqual(ps.asked, [["-x"]]);
});
