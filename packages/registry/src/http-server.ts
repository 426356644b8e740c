// The HTTP server of the registry, plain or with TLS, with its bounds in one place. A certificate can be exchanged while it serves.

import http, { type RequestListener, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type { TlsPair } from "./tls-files.ts";

/** A server, not listening yet. */
export interface HttpServer {
  readonly server: Server;
  /** Takes other certificates for connections from now on. Does nothing without TLS. */
  exchange(tls: TlsPair): void;
}

/** Makes one. `idle`: milliseconds without a byte in either direction. */
export async function makeHttpServer(
  listener: RequestListener,
  tls: TlsPair | undefined,
  idle: number,
): Promise<HttpServer> {
  const options = {
    // Headers are bounded in size and time; bodies by their rate (body-reader.ts), since a large layer may take hours.
    maxHeaderSize: 32_768,
    headersTimeout: 30_000,
    requestTimeout: 0,
    keepAliveTimeout: 65_000,
    connectionsCheckingInterval: 10_000,
    highWaterMark: 256 << 10,
    noDelay: true,
  };
  const made =
    tls === undefined
      ? { server: http.createServer(options, listener), exchange: () => {} }
      : await secureServer(options, tls, listener);
  // Neither side says anything for this long: the other side is gone.
  made.server.setTimeout(idle);
  made.server.on("clientError", answerBroken);
  return made;
}

/** Time for a client to read why it was cut off. Milliseconds. */
const LAST_WORDS = 1000;

// What cannot be read as HTTP is refused in the form that clients of registries know; into an answer that is under way, nothing is said.
function answerBroken(error: Error & { readonly code?: string }, stream: Duplex): void {
  const socket = stream as Duplex & { readonly _httpMessage?: ServerResponse | null };
  if (socket.writableEnded) return;
  if (!socket.writable || socket._httpMessage?.headersSent === true || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [status, message] = BROKEN[error.code ?? ""] ?? [400, "this is no HTTP request"];
  const body = JSON.stringify({ errors: [{ code: "UNSUPPORTED", message }] });
  const head = [
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  setTimeout(() => socket.destroy(), LAST_WORDS).unref();
}

const BROKEN: Readonly<Record<string, readonly [status: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, "the header is too large"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the header came too slowly"],
};

// TLS takes 10 ms to load: only who wants it pays.
async function secureServer(options: http.ServerOptions, tls: TlsPair, listener: RequestListener): Promise<HttpServer> {
  const https = await import("node:https");
  const { clientCertificates } = tls;
  const server = https.createServer(
    {
      ...options,
      ...contextOf(tls),
      handshakeTimeout: 10_000,
      // Who shows a certificate that is not trusted is refused, even where none is needed.
      requestCert: clientCertificates !== undefined,
      rejectUnauthorized: clientCertificates === "required",
    },
    listener,
  );
  return { server, exchange: (next) => server.setSecureContext(contextOf(next)) };
}

function contextOf({ cert, key, minVersion, clientCa }: TlsPair): Record<string, unknown> {
  return { cert, key, minVersion: minVersion ?? "TLSv1.2", ...(clientCa === undefined ? {} : { ca: clientCa }) };
}
