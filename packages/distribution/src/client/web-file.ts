// A small file of a web server that is no registry, as signatures are kept on: asked for without credentials.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import type { HttpTransport } from "./http-transport.ts";
import { sendFollowing } from "./redirects.ts";
import { readLimited } from "./response-error.ts";
import { type RetryPolicy, withRetry } from "./retry.ts";

const OP = "fetch";
/** A server that gives a byte now and then is not waited for. Milliseconds, with all tries. */
const LONGEST = 120_000;
/** Answers that may be others the next time. */
const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** Null: the server says that there is none. @throws TeuError `exhausted` beyond `limit` bytes, `unavailable` for other answers. */
export async function readWebFile(
  scope: Scope,
  transport: HttpTransport,
  url: URL,
  limit: number,
  retry: RetryPolicy,
): Promise<Uint8Array | null> {
  const inner = scope.withTimeout(LONGEST);
  try {
    return await withRetry(inner, retry, async () => {
      await using response = await sendFollowing(inner, transport, { method: "GET", url, headers: {} });
      const { status } = response;
      if (status === 404) return null;
      if (status === 200) return await readLimited(OP, response, limit);
      throw unexpected(url, status);
    });
  } catch (error) {
    // What went wrong on the way is told as if it had been a registry.
    if (!isTeuError(error) || error.op === OP || scope.signal.aborted) throw error;
    const { code, detail, what: message } = error;
    throw new TeuError({ code, op: OP, subject: url.href, message, detail });
  }
}

function unexpected(url: URL, status: number): TeuError {
  return new TeuError({
    code: "unavailable",
    op: OP,
    subject: url.href,
    message: `the server answered ${status}`,
    detail: { status, transient: PASSING.has(status) },
  });
}
