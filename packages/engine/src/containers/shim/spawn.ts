// Starts the shim of a container and reads its report from fd 3. The shim makes itself independent; nothing here waits for its end.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";

import { fromJson, TeuError } from "@teu/base/errors";
import { endedError, type Scope } from "@teu/base/scope";
import { OwnedFd } from "@teu/files/open";
import { collectChild, type DetachedProgram, spawnDetached } from "@teu/files/process";
import type { ShimReport } from "@teu/shim/protocol";

const REPORT_LIMIT = 1 << 20;
/** How long a cancelled start waits for the shim's report, milliseconds. */
const PATIENCE = 10_000;

/** What a shim that started says of itself. */
export type ShimStarted = Extract<ShimReport, { ok: true }>;

/**
 * Spawns `shim --config FILE` and waits for its report.
 * @throws TeuError as the shim reports, `internal` when it ended without one.
 */
export async function spawnShim(scope: Scope, shim: string, configFile: string): Promise<ShimStarted> {
  scope.check("start shim");
  const { pid, pipes } = startShim(shim, configFile);
  const [complaintFd = -1, reportFd = -1] = pipes;
  using complaint = new OwnedFd(complaintFd);
  // node:net, which takes milliseconds to load, only now: the shim is at work meanwhile.
  const report = new Socket({ fd: reportFd, writable: false });
  try {
    // Cancelled or not: a shim that comes up must be known, so that the caller can send it away.
    const text = await Promise.race([collect(report), patience(scope)]);
    const line = text.split("\n", 1)[0] ?? "";
    // Whoever held the one pipe held the other, and is gone: this does not wait.
    if (line === "") throw silent(shim, readFileSync(complaint.fd, "utf8"));
    const value = JSON.parse(line) as ShimReport;
    if (!value.ok) throw fromJson(value.error);
    return value;
  } finally {
    report.destroy();
    collectChild(pid);
  }
}

// A session of its own: a terminal's Ctrl-C is for the client, never for the container's parent.
function startShim(shim: string, configFile: string): DetachedProgram {
  try {
    return spawnDetached({ program: shim, args: ["--config", configFile], env: shimEnvironment(), pipes: 2 });
  } catch (cause) {
    throw new TeuError({ code: "unavailable", op: "start shim", subject: shim, message: "cannot run it", cause });
  }
}

/** Runs `shim --config FILE --cleanup`: settles a container whose shim was killed. @throws TeuError `internal` with what it says. */
export function cleanUpAfterShim(scope: Scope, shim: string, configFile: string): Promise<void> {
  const child = spawn(shim, ["--config", configFile, "--cleanup"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: shimEnvironment(),
    cwd: "/",
    signal: scope.signal,
  });
  const complaint = collect(child.stderr);
  return new Promise((resolve, reject) => {
    child.once("error", (cause) =>
      reject(
        new TeuError({
          code: "unavailable",
          op: "clean up after shim",
          subject: shim,
          message: "cannot run it",
          cause,
        }),
      ),
    );
    child.once("close", (code) => {
      if (code === 0) return resolve();
      void complaint.then((text) =>
        reject(
          new TeuError({
            code: "internal",
            op: "clean up after shim",
            subject: configFile,
            message: text.trim() || `it ended with ${code}`,
          }),
        ),
      );
    });
  });
}

/** Runs the shim for a task that ends at once. @throws TeuError as it says on stderr. */
export async function runShimCommand(
  scope: Scope,
  shim: string,
  args: readonly string[],
  op: string,
  subject: string,
): Promise<void> {
  const child = spawn(shim, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: shimEnvironment(),
    cwd: "/",
    signal: scope.signal,
  });
  const [text, code] = await Promise.all([
    collect(child.stderr),
    new Promise<number | null>((resolve, reject) => {
      child.once("error", (cause) =>
        reject(new TeuError({ code: "unavailable", op, subject: shim, message: "cannot run it", cause })),
      );
      child.once("close", resolve);
    }),
  ]);
  if (code === 0) return;
  throw (
    complaintOf(text) ??
    new TeuError({ code: "internal", op, subject, message: text.trim() || `it ended with ${code}` })
  );
}

function complaintOf(text: string): TeuError | null {
  try {
    return fromJson(JSON.parse(text));
  } catch (error) {
    // Killed, or not far enough to say it in this form.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

// The engine's environment may hold secrets, and must not decide what the runtime does.
function shimEnvironment(): Record<string, string> {
  return { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" };
}

/** Rejects a while after the scope ended. */
function patience(scope: Scope): Promise<never> {
  return new Promise((_, reject) => {
    const later = () => setTimeout(() => reject(endedError("start container", scope.signal.reason)), PATIENCE).unref();
    if (scope.signal.aborted) later();
    else scope.signal.addEventListener("abort", later, { once: true });
  });
}

async function collect(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size <= REPORT_LIMIT) chunks.push(chunk);
    }
  } catch (error) {
    // Destroyed on purpose once the report is in.
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
  return Buffer.concat(chunks).toString("utf8");
}

function silent(shim: string, complaint: string): TeuError {
  return new TeuError({
    code: "internal",
    op: "start shim",
    subject: shim,
    message: complaint.trim() === "" ? "it ended without a report" : complaint.trim(),
  });
}
