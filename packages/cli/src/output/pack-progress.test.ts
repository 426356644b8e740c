import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommandContext } from "../command.ts";
import { packProgress } from "./pack-progress.ts";

/** A stream that keeps what is written to it. */
function streamOf(isTTY: boolean): { readonly stream: NodeJS.WriteStream; readonly text: () => string } {
  let text = "";
  const write = (part: string, ...rest: readonly unknown[]): boolean => {
    text += part;
    const done = rest.at(-1);
    if (typeof done === "function") done();
    return true;
  };
  return { stream: { isTTY, columns: 80, rows: 24, write } as unknown as NodeJS.WriteStream, text: () => text };
}

function contextOf(stderr: NodeJS.WriteStream, term: string): CommandContext {
  return {
    io: { stderr: { stream: stderr, isTTY: stderr.isTTY, write: (data: string) => stderr.write(data) } },
    environment: { term },
  } as unknown as CommandContext;
}

test("packProgress: a terminal sees what is read and packed, until it is over", () => {
  const { stream, text } = streamOf(true);
  const progress = packProgress(contextOf(stream, "xterm"), false);
  progress.event({ kind: "read", id: `sha256:${"a".repeat(64)}`, current: 500, total: 1000 });
  progress.event({ kind: "pack", id: "files.tar", current: 3_000_000 });
  progress[Symbol.dispose]();
  assert.match(text(), /^aaaaaaaaaaaa: Reading +\[=+> +\] 500B\/1kB$/m);
  assert.match(text(), /^files\.tar: Packing 3MB$/m);
  const before = text();
  progress.event({ kind: "read", id: "late", current: 1, total: 2 });
  progress[Symbol.dispose]();
  assert.equal(text(), before);
});

test("packProgress: nobody else sees anything", () => {
  for (const [isTTY, term, quiet] of [
    [false, "xterm", false],
    [true, "dumb", false],
    [true, "xterm", true],
  ] as const) {
    const { stream, text } = streamOf(isTTY);
    using progress = packProgress(contextOf(stream, term), quiet);
    progress.event({ kind: "pack", id: "files.tar", current: 5, total: 5 });
    progress[Symbol.dispose]();
    assert.equal(text(), "");
  }
});
