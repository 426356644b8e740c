// One delivery: a POST that follows no redirect, with a signature by which the receiver knows who sent it.

import { createHmac } from "node:crypto";
import http from "node:http";
import https from "node:https";
import { TeuError } from "@teu/base/errors";

import { ENVELOPE_TYPE } from "./envelope.ts";
import { isSpecialHost, publicLookup } from "./target-guard.ts";

/** Where to, and how. */
export interface DeliveryTarget {
  readonly url: URL;
  /** Key of the signature; absent: none. */
  readonly secret?: string;
  /** Further headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Private and local addresses may be reached. */
  readonly allowPrivate: boolean;
  /** Milliseconds. */
  readonly timeout: number;
}

/** Header of the signature: "sha256=" and the HMAC of the body in hex, as GitHub has it. */
const SIGNATURE = "x-hub-signature-256";

/** Posts a body. Resolves with a 2xx answer. @throws TeuError `unavailable`, `denied` for an address that is not allowed. */
export function deliver(signal: AbortSignal, target: DeliveryTarget, body: string): Promise<void> {
  const { url, secret, headers, allowPrivate, timeout } = target;
  if (!allowPrivate && isSpecialHost(url)) return Promise.reject(refused(url));
  const bytes = Buffer.from(body);
  const signature =
    secret === undefined ? {} : { [SIGNATURE]: `sha256=${createHmac("sha256", secret).update(bytes).digest("hex")}` };
  const send = url.protocol === "https:" ? https.request : http.request;
  return new Promise((resolve, reject) => {
    const outgoing = send(
      url,
      {
        method: "POST",
        agent: false,
        headers: { "content-type": ENVELOPE_TYPE, ...headers, ...signature, "content-length": bytes.length },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
        ...(allowPrivate ? {} : { lookup: publicLookup }),
      },
      (answer) => {
        const status = answer.statusCode ?? 0;
        // What it says is not read: it could be endless.
        answer.destroy();
        if (status >= 200 && status < 300) resolve();
        else reject(failed(url, `the answer is ${status}`));
      },
    );
    outgoing.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "EPRIVATE" ? refused(url) : failed(url, "no answer", error)),
    );
    outgoing.end(bytes);
  });
}

function refused(url: URL): TeuError {
  return new TeuError({
    code: "denied",
    op: "deliver event",
    subject: url.host,
    message: "it is a private or local address",
    hint: "allowPrivate: true, if it is meant",
  });
}

// The path and the query of a webhook are often its secret.
function failed(url: URL, message: string, cause?: unknown): TeuError {
  return new TeuError({
    code: "unavailable",
    op: "deliver event",
    subject: url.host,
    message,
    ...(cause === undefined ? {} : { cause }),
  });
}
