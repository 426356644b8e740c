// One plain HTTP request, sent as it is given: no redirects, no decoding, no opinion. For tests of servers.

import { request } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";

/** What to send. */
export interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** What came back, whole. */
export interface RawResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Uint8Array;
  readonly text: string;
  /** The body as JSON. */
  json<T = Record<string, unknown>>(): T;
}

/** Sends one request on a connection of its own. The path of `url` is sent as written. */
export function rawRequest(url: string, { method = "GET", headers = {}, body }: RawRequest = {}): Promise<RawResponse> {
  const match = /^http:\/\/([^/]+?):(\d+)(\/.*)$/.exec(url);
  if (match === null) throw new Error(`not a plain URL with a port: ${url}`);
  const [, host = "", port = "", path = ""] = match;
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: host.replace(/^\[|\]$/g, ""),
      port,
      path,
      method,
      headers: { ...headers, connection: "close" },
      agent: false,
    });
    outgoing.once("error", reject);
    outgoing.once("response", (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.once("error", reject);
      incoming.once("end", () => {
        const bytes = Buffer.concat(chunks);
        const text = bytes.toString("utf8");
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          bytes,
          text,
          json: <T>() => JSON.parse(text) as T,
        });
      });
    });
    outgoing.end(body);
  });
}

/** Writes text to a TCP port and returns all that comes back until the other side closes or `milliseconds` pass. */
export function rawSocket(address: string, text: string, milliseconds = 2000): Promise<string> {
  const colon = address.lastIndexOf(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
    let received = "";
    const timer = setTimeout(() => socket.destroy(), milliseconds);
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      received += chunk;
    });
    socket.once("error", reject);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(received);
    });
    socket.write(text);
  });
}
