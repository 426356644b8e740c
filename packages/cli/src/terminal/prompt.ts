// Questions to the person at the terminal: a line, or a password that is not shown.

import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { TeuError } from "@teu/base/errors";
import { endedError } from "@teu/base/scope";
import type { CommandContext } from "../command.ts";

/** Asks on stderr, so that stdout stays clean. @throws TeuError `invalid` without a terminal, `cancelled`. */
export async function ask(
  context: CommandContext,
  question: string,
  options: { readonly hidden?: boolean; /** What to do without a terminal. */ readonly hint?: string } = {},
): Promise<string> {
  const { stdin, stderr } = context.io;
  if (stdin.isTTY !== true) {
    throw new TeuError({
      code: "invalid",
      op: "ask",
      subject: question.trim(),
      message: "stdin is not a terminal",
      hint: options.hint ?? "give the value by flag, or a password with --password-stdin",
    });
  }
  stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({
    input: stdin,
    output: options.hidden === true ? silent : stderr.stream,
    terminal: true,
    prompt: "",
  });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once("line", resolve);
      lines.once("SIGINT", () => reject(endedError("ask", undefined)));
      lines.once("close", () => reject(endedError("ask", undefined)));
      context.scope.signal.addEventListener("abort", () => reject(endedError("ask", undefined)), { once: true });
    });
  } finally {
    lines.removeAllListeners("close");
    lines.close();
    if (options.hidden === true) stderr.write("\n");
  }
}

/** "y" or "yes". */
export async function confirm(context: CommandContext, question: string): Promise<boolean> {
  const answer = await ask(context, `${question} [y/N] `, { hint: "with --force it does not ask" });
  return /^y(?:es)?$/i.test(answer.trim());
}

/** Everything on stdin, at most 64 KiB: a password. */
export async function readAllInput(context: CommandContext): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of context.io.stdin as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > 64 << 10) throw new TeuError({ code: "invalid", op: "read stdin", message: "more than 64 KiB" });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
