// Certificates that this machine's owner trusts for single registries, where Docker and Podman look for them:
// DIR/HOST[:PORT]/*.crt, in PEM. This module reads no environment; client certificates are not looked for.

import { X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { isTeuError, TeuError } from "@teu/base/errors";

/** Certificates of authorities to trust for a host (with its port unless it is the default one), PEM. */
export type CertificateSource = (host: string) => Promise<readonly string[]>;

/** The directories of an environment; HOME is looked at. */
export function certificateDirectories(env: Readonly<Record<string, string | undefined>>): string[] {
  const { HOME: home } = env;
  const own = home === undefined || home === "" ? [] : [path.join(home, ".config", "containers", "certs.d")];
  return [...own, "/etc/containers/certs.d", "/etc/docker/certs.d"];
}

/** Reads what the directories have for a host; they need not exist. @throws TeuError `denied` for a file that cannot be read, `invalid`. */
export function certificatesIn(directories: readonly string[]): CertificateSource {
  return async (host) => {
    const found: string[] = [];
    // ".." is a host name to URL parsers.
    if (host.startsWith(".")) return found;
    for (const directory of directories) {
      const place = path.join(directory, host);
      for (const name of await namesIn(place)) {
        if (name.endsWith(".crt")) found.push(await readCertificate(path.join(place, name)));
      }
    }
    return found;
  };
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

async function readCertificate(file: string): Promise<string> {
  try {
    const text = await readFile(file, "latin1");
    // TLS would pass over it in silence.
    checkCertificate(file, text);
    return text;
  } catch (error) {
    throw isTeuError(error) ? error : unreadable(file, error);
  }
}

function checkCertificate(file: string, text: string): void {
  try {
    void new X509Certificate(text);
  } catch (cause) {
    const message = "it holds no certificate in PEM";
    throw new TeuError({ code: "invalid", op: "read certificates", subject: file, message, cause });
  }
}

function unreadable(subject: string, cause: unknown): TeuError {
  return new TeuError({ code: "denied", op: "read certificates", subject, message: "it cannot be read", cause });
}
