// "HOST:PORT" as one types it, and listening there with errors that say what to do.

import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type ErrorCode, TeuError } from "@teu/base/errors";

/** Where to listen. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads "127.0.0.1:5000", ":5000" (all interfaces), "[::1]:5000". @throws TeuError `invalid`. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? Number.NaN);
  if (match === null || !(port <= 65_535)) {
    throw new TeuError({
      code: "invalid",
      op: "listen",
      subject: text,
      message: 'want HOST:PORT, as in "127.0.0.1:5000"',
    });
  }
  const host = match[1] ?? match[2] ?? "";
  return { host: host === "" ? "0.0.0.0" : host, port };
}

const CODES: Readonly<Record<string, readonly [ErrorCode, string, string]>> = {
  EADDRINUSE: ["already-exists", "another program listens there", "choose another port, or 0 for a free one"],
  EACCES: ["denied", "this user may not listen there", "ports below 1024 need root"],
  EADDRNOTAVAIL: [
    "invalid",
    "this machine has no such address",
    "use 127.0.0.1 for this machine only, 0.0.0.0 for all addresses",
  ],
  ENOTFOUND: ["invalid", "the host name has no address", "give an IP address"],
};

/** Listens; "HOST:PORT" with the real port. @throws TeuError `already-exists`, `denied`, `invalid`. */
export async function listenOn(server: Server, { host, port }: ListenAddress): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(`${host}:${port}`, error)));
    server.listen(port, host, resolve);
  });
  const bound = server.address() as AddressInfo;
  return bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}

function listenError(subject: string, error: NodeJS.ErrnoException): TeuError {
  const [code, message, hint] = CODES[error.code ?? ""] ?? ["unavailable", "the system refused", undefined];
  return new TeuError({ code, op: "listen", subject, message, cause: error, ...(hint === undefined ? {} : { hint }) });
}
