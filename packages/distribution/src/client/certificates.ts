// Certificates for single registries, where Docker and Podman look for them: in DIR/HOST[:PORT]/, authorities to trust in *.crt, and
// what this machine shows of itself (mutual TLS) in pairs NAME.cert and NAME.key, all in PEM. This module reads no environment.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { TeuError } from "@teu/base/errors";

/** A certificate (with its chain) and its private key, PEM. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Certificates of authorities to trust for a host (with its port unless it is the default one), PEM. */
export type CertificateSource = (host: string) => Promise<readonly string[]>;

/** What to show to a host that asks who we are. */
export type ClientCertificateSource = (host: string) => Promise<readonly ClientCertificate[]>;

const OP = "read certificates";

/** The directories of an environment; HOME is looked at. */
export function certificateDirectories(env: Readonly<Record<string, string | undefined>>): string[] {
  const { HOME: home } = env;
  const own = home === undefined || home === "" ? [] : [path.join(home, ".config", "containers", "certs.d")];
  return [...own, "/etc/containers/certs.d", "/etc/docker/certs.d"];
}

/** A directory that somebody named for a host, instead of DIR/HOST; undefined for other hosts. */
export type NamedDirectory = (host: string) => string | undefined;

/**
 * Reads what the directories have for a host; they need not exist, a named one must.
 * @throws TeuError `denied` for a file that cannot be read, `invalid`, `not-found`.
 */
export function certificatesIn(directories: readonly string[], named?: NamedDirectory): CertificateSource {
  return async (host) => {
    const found: string[] = [];
    for (const place of await placesOf(directories, host, named)) {
      for (const name of await namesIn(place)) {
        if (name.endsWith(".crt")) found.push(await readAuthority(path.join(place, name)));
      }
    }
    return found;
  };
}

/** Reads the pairs that the directories have for a host. @throws TeuError `denied`, `invalid` for a pair that is not whole or does not fit. */
export function clientCertificatesIn(directories: readonly string[], named?: NamedDirectory): ClientCertificateSource {
  return async (host) => {
    const found: ClientCertificate[] = [];
    for (const place of await placesOf(directories, host, named)) {
      const names = await namesIn(place);
      for (const name of names) {
        const stem = name.replace(/\.(?:cert|key)$/, "");
        if (stem === name) continue;
        const other = `${stem}${name.endsWith(".key") ? ".cert" : ".key"}`;
        if (!names.includes(other)) throw lonely(path.join(place, name), other);
        if (name.endsWith(".cert"))
          found.push(await readClientCertificate(path.join(place, name), path.join(place, other)));
      }
    }
    return found;
  };
}

/** A pair from two files, or from one that holds both. @throws TeuError `denied`, `invalid`. */
export async function readClientCertificate(certFile: string, keyFile: string): Promise<ClientCertificate> {
  const cert = await readAuthority(certFile);
  const key = await readText(keyFile);
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key };
  } catch (cause) {
    // Neither OpenSSL's text nor the key is shown.
    throw invalid(keyFile, "it holds no private key in PEM that is readable without a password", cause);
  }
  throw invalid(keyFile, `it is not the key of ${certFile}`);
}

/** The certificate in a file. @throws TeuError `denied`, `invalid` when it holds none: TLS would pass over it in silence. */
export async function readAuthority(file: string): Promise<string> {
  const text = await readText(file);
  try {
    void new X509Certificate(text);
  } catch (cause) {
    throw invalid(file, "it holds no certificate in PEM", cause);
  }
  return text;
}

async function placesOf(
  directories: readonly string[],
  host: string,
  named: NamedDirectory | undefined,
): Promise<string[]> {
  const directory = named?.(host);
  if (directory !== undefined) {
    const isThere = await stat(directory).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (isThere) return [directory];
    throw new TeuError({ code: "not-found", op: OP, subject: directory, message: "there is no such directory" });
  }
  // ".." is a host name to URL parsers.
  return host.startsWith(".") ? [] : directories.map((one) => path.join(one, host));
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code;
    if (errno === "ENOENT" || errno === "ENOTDIR") return [];
    throw unreadable(directory, error);
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "latin1");
  } catch (error) {
    throw unreadable(file, error);
  }
}

function lonely(file: string, other: string): TeuError {
  const hint = "a client certificate is NAME.cert with NAME.key; authorities to trust are called *.crt";
  return new TeuError({ code: "invalid", op: OP, subject: file, message: `${other} is missing`, hint });
}

function invalid(subject: string, message: string, cause?: unknown): TeuError {
  return new TeuError({ code: "invalid", op: OP, subject, message, ...(cause === undefined ? {} : { cause }) });
}

function unreadable(subject: string, cause: unknown): TeuError {
  return new TeuError({ code: "denied", op: OP, subject, message: "it cannot be read", cause });
}
