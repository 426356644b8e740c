// Certificate and key from PEM files, checked before the registry listens: a pair that does not fit would fail at each connection.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { TeuError } from "@teu/base/errors";

import { fileError } from "./storage/file-error.ts";

/** Where the registry's certificate is. */
export interface TlsFiles {
  /** PEM: the registry's certificate, then those between it and the root. */
  readonly cert: string;
  /** PEM: its private key, without a passphrase. */
  readonly key: string;
}

/** What `node:https` takes. */
export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Reads both. @throws TeuError `denied`, `not-found` for the file, `invalid` when it is not what it should be or they do not fit. */
export async function readTlsFiles(files: TlsFiles): Promise<TlsPair> {
  const cert = await read("certificate", files.cert);
  const key = await read("key", files.key);
  const certificate = parse("certificate", files.cert, () => new X509Certificate(cert));
  const secret = parse("key", files.key, () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(secret)) throw invalid("key", files.key, `it does not belong to ${files.cert}`);
  return { cert, key };
}

async function read(what: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw fileError(`read TLS ${what}`, file, error);
  }
}

function parse<T>(what: string, file: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw invalid(what, file, `it holds no PEM ${what} that can be used`, cause);
  }
}

function invalid(what: string, file: string, message: string, cause?: unknown): TeuError {
  const more = cause === undefined ? {} : { cause };
  return new TeuError({ code: "invalid", op: `read TLS ${what}`, subject: file, message, ...more });
}
