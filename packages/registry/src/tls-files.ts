// Certificates and keys from PEM files, checked before the registry listens: a pair that does not fit would fail at each connection.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { TeuError } from "@teu/base/errors";

import { fileError } from "./storage/file-error.ts";

/** Where the registry's certificate is, and whose certificates it takes from clients. */
export interface TlsFiles {
  /** PEM: the registry's certificate, then those between it and the root. */
  readonly cert: string;
  /** PEM: its private key, without a passphrase. */
  readonly key: string;
  /** Oldest version of TLS. Default TLSv1.2. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /** PEM: authorities of client certificates. The common name of a certificate is its user. */
  readonly clientCa?: string;
  /** With `clientCa`: whether a client must show a certificate. Default "optional". */
  readonly clientCertificates?: "optional" | "required";
}

/** What is in them. */
export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  readonly clientCa?: Buffer;
  /** Absent: none are asked for. */
  readonly clientCertificates?: "optional" | "required";
}

/** Reads them. @throws TeuError `denied`, `not-found` for a file, `invalid` when it is not what it should be or they do not fit. */
export async function readTlsFiles(files: TlsFiles): Promise<TlsPair> {
  const cert = await read("certificate", files.cert);
  const key = await read("key", files.key);
  const certificate = parse("certificate", files.cert, () => new X509Certificate(cert));
  const secret = parse("key", files.key, () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(secret)) throw invalid("key", files.key, `it does not belong to ${files.cert}`);
  const { minVersion, clientCa } = files;
  const versions = minVersion === undefined ? {} : { minVersion };
  if (clientCa === undefined) {
    if (files.clientCertificates !== undefined)
      throw invalid("client authority", files.cert, "clientCertificates needs clientCa");
    return { cert, key, ...versions };
  }
  const authority = await read("client authority", clientCa);
  parse("client authority", clientCa, () => new X509Certificate(authority));
  return { cert, key, ...versions, clientCa: authority, clientCertificates: files.clientCertificates ?? "optional" };
}

/** A text that changes with the files. */
export async function tlsStamp({ cert, key, clientCa }: TlsFiles): Promise<string> {
  const stamps = [cert, key, ...(clientCa === undefined ? [] : [clientCa])].map(async (file) => {
    try {
      const { ino, size, mtimeNs } = await stat(file, { bigint: true });
      return [ino, size, mtimeNs].join(" ");
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code);
    }
  });
  return (await Promise.all(stamps)).join("\n");
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
