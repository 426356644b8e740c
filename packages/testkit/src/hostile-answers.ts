// Ways to answer, honest and not, for a HostileRegistry.

import { once } from "node:events";
import type { OutgoingHttpHeaders } from "node:http";

import type { Answer } from "./hostile-registry.ts";

/** Bytes with headers; Content-Length is right unless given. Waits for the request's body. */
export function reply(status: number, headers: OutgoingHttpHeaders = {}, body: Uint8Array | string = ""): Answer {
  return async (response, request, raw) => {
    if (!raw.complete) await once(raw, "end");
    const bytes = Buffer.from(body);
    response.writeHead(status, { "content-length": bytes.length, ...headers });
    response.end(request.method === "HEAD" ? undefined : bytes);
  };
}

/** An error body of distribution-spec. */
export function refuse(status: number, code: string, message = "refused", headers: OutgoingHttpHeaders = {}): Answer {
  return reply(
    status,
    { "content-type": "application/json", ...headers },
    JSON.stringify({ errors: [{ code, message }] }),
  );
}

/** Announces the whole but closes the connection after `count` bytes; honours Range, so that a client can go on. */
export function cutAfter(content: Uint8Array, count: number): Answer {
  return async (response, request) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? "0");
    const headers: OutgoingHttpHeaders = { "content-length": content.length - start };
    if (start > 0) headers["content-range"] = `bytes ${start}-${content.length - 1}/${content.length}`;
    response.writeHead(start > 0 ? 206 : 200, headers);
    await new Promise((resolve) => response.write(content.subarray(start, start + count), resolve));
    if (start + count < content.length) response.destroy();
    else response.end();
  };
}

/** A body that never ends, as fast as it is taken. `sent` counts its bytes. */
export function endless(status: number, headers: OutgoingHttpHeaders, sent: { bytes: number }): Answer {
  return async (response) => {
    response.writeHead(status, headers);
    const chunk = Buffer.alloc(65_536, 0x20);
    const closed = once(response, "close");
    while (!response.destroyed) {
      sent.bytes += chunk.length;
      if (response.write(chunk)) continue;
      await Promise.race([new Promise((resolve) => response.once("drain", resolve)), closed]);
    }
  };
}

/** Sends the client elsewhere. */
export function redirect(location: string, status = 307): Answer {
  return reply(status, { location });
}

/** Takes the request and never answers. */
export const silence: Answer = () => {};

/** Closes the connection after `count` bytes of the request's body, without an answer. */
export function hangUpAfter(count: number): Answer {
  return async (response, request, raw) => {
    while (request.body.length < count && !raw.complete) await once(raw, "data");
    response.destroy();
  };
}
