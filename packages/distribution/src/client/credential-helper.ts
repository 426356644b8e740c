// Credential helpers: programs docker-credential-NAME that speak JSON over stdin and stdout (get, store, erase).
// They are given a bounded time and bounded room, and no shell.

import { spawn } from "node:child_process";
import { isTeuError, TeuError } from "@teu/base/errors";
import { endedError, type Scope } from "@teu/base/scope";
import { parseJson } from "@teu/specs/json";

import type { LoginCredential } from "./credentials.ts";

const TIME_LIMIT = 30_000;
const OUTPUT_LIMIT = 64 << 10;
/** The helpers' way of saying that there is none, on stdout. */
const NOT_FOUND = /credentials not found/i;
/** As the user name: the secret is an identity token. */
const TOKEN_USER = "<token>";

/** Asks a helper; null when it has nothing for the server. @throws TeuError `unavailable`, `timeout`, `invalid`. */
export async function getFromHelper(scope: Scope, helper: string, server: string): Promise<LoginCredential | null> {
  const result = await run(scope, helper, "get", server);
  if (result.code !== 0) {
    if (NOT_FOUND.test(result.output)) return null;
    throw failed(helper, "get", result.output);
  }
  const answer = readAnswer(helper, result.output);
  if (answer.Username === "" && answer.Secret === "") return null;
  return answer.Username === TOKEN_USER
    ? { identityToken: answer.Secret }
    : { username: answer.Username, password: answer.Secret };
}

/** Gives a helper a credential to keep. @throws TeuError `unavailable`, `timeout`. */
export async function storeWithHelper(
  scope: Scope,
  helper: string,
  server: string,
  credential: LoginCredential,
): Promise<void> {
  const [username, secret] =
    "identityToken" in credential ? [TOKEN_USER, credential.identityToken] : [credential.username, credential.password];
  const result = await run(
    scope,
    helper,
    "store",
    JSON.stringify({ ServerURL: server, Username: username, Secret: secret }),
  );
  if (result.code !== 0) throw failed(helper, "store", result.output);
}

/** Has a helper forget a server. @throws TeuError `unavailable`, `timeout`. */
export async function eraseWithHelper(scope: Scope, helper: string, server: string): Promise<void> {
  const result = await run(scope, helper, "erase", server);
  if (result.code !== 0) throw failed(helper, "erase", result.output);
}

function readAnswer(helper: string, output: string): { Username: string; Secret: string } {
  try {
    const value = parseJson(output, { document: "answer" });
    if (typeof value === "object" && value !== null && "Username" in value && "Secret" in value) {
      const { Username, Secret } = value;
      if (typeof Username === "string" && typeof Secret === "string") return { Username, Secret };
    }
  } catch (error) {
    if (!isTeuError(error, "invalid")) throw error;
  }
  // The answer is not shown: it may hold the secret.
  throw new TeuError({
    code: "invalid",
    op: "ask credential helper",
    subject: helper,
    message: "its answer is not what the protocol says",
  });
}

async function run(
  scope: Scope,
  helper: string,
  verb: string,
  input: string,
): Promise<{ code: number; output: string }> {
  // The name comes from a file: it must stay a name.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(helper)) {
    throw new TeuError({
      code: "invalid",
      op: "run credential helper",
      subject: helper.slice(0, 100),
      message: "not the name of a helper",
    });
  }
  const bounded = scope.withTimeout(TIME_LIMIT);
  const child = spawn(`docker-credential-${helper}`, [verb], {
    stdio: ["pipe", "pipe", "ignore"],
    signal: bounded.signal,
    killSignal: "SIGKILL",
  });
  const chunks: Buffer[] = [];
  let size = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= OUTPUT_LIMIT) chunks.push(chunk);
    else child.kill("SIGKILL");
  });
  // A helper may end without reading: that is no failure of ours.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", (cause) => {
      // What the helper started may still hold the pipe.
      child.stdout.destroy();
      reject(bounded.signal.aborted ? late(helper, scope) : notRun(helper, cause));
    });
    child.once("close", (status) => resolve(status ?? 1));
  });
  return { code, output: Buffer.concat(chunks).toString("utf8") };
}

function late(helper: string, scope: Scope): TeuError {
  return scope.signal.aborted
    ? endedError("run credential helper", scope.signal.reason)
    : new TeuError({
        code: "timeout",
        op: "run credential helper",
        subject: helper,
        message: `no answer within ${TIME_LIMIT / 1000} s`,
      });
}

function notRun(helper: string, cause: Error): TeuError {
  return new TeuError({
    code: "unavailable",
    op: "run credential helper",
    subject: `docker-credential-${helper}`,
    message: "program cannot be run",
    cause,
    hint: "install it, or take its name out of config.json or registries.conf",
  });
}

function failed(helper: string, verb: string, output: string): TeuError {
  const said = output
    .trim()
    .slice(0, 300)
    .replace(/[\x00-\x1f\x7f]+/g, " ");
  return new TeuError({
    code: "unavailable",
    op: `${verb} with credential helper`,
    subject: helper,
    message: said === "" ? "it failed" : said,
  });
}
