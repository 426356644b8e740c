// Where a Docker daemon listens, as Docker's client reads it from DOCKER_HOST and its relatives. This module reads no environment.

import { join } from "node:path";
import { TeuError } from "@teu/base/errors";

/** A daemon's address. */
export type DaemonAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly url: URL; readonly tls?: DaemonTls };

/** How a daemon is known over TLS. */
export interface DaemonTls {
  /** Directory with ca.pem, cert.pem and key.pem, as Docker has them. */
  readonly certificates: string;
  readonly verify: boolean;
}

const DEFAULT = "unix:///var/run/docker.sock";

/** DOCKER_HOST, DOCKER_TLS, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH, DOCKER_CONFIG and HOME are looked at. @throws TeuError `invalid`, `unsupported`. */
export function daemonAddress(env: Readonly<Record<string, string | undefined>>, host?: string): DaemonAddress {
  const text = host ?? (env["DOCKER_HOST"] || DEFAULT);
  const path = /^unix:\/\/(\/.*)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: "unix", path };
  const scheme = /^([a-z]+):\/\//.exec(text)?.[1] ?? "";
  if (scheme === "ssh" || scheme === "npipe" || scheme === "fd") {
    throw new TeuError({
      code: "unsupported",
      op: "find Docker daemon",
      subject: text,
      message: `${scheme}: cannot be used`,
      hint: "unix:///PATH and tcp://HOST:PORT can",
    });
  }
  const verify = (env["DOCKER_TLS_VERIFY"] ?? "") !== "";
  const secure = verify || scheme === "https" || (env["DOCKER_TLS"] ?? "") !== "";
  const bare = text.replace(/^(?:tcp|https?):\/\//, "");
  const full = `${secure ? "https" : "http"}://${bare}`;
  const known = scheme === "tcp" || scheme === "http" || scheme === "https";
  const url = known && URL.canParse(full) ? new URL(full) : null;
  if (url === null || url.hostname === "" || url.username !== "")
    throw new TeuError({
      code: "invalid",
      op: "find Docker daemon",
      subject: text.slice(0, 200),
      message: "it is no address of a daemon",
      hint: "write unix:///PATH or tcp://HOST:PORT",
    });
  if (url.port === "") url.port = secure ? "2376" : "2375";
  if (!secure) return { kind: "tcp", url };
  const configured = env["DOCKER_CONFIG"] || join(env["HOME"] ?? "/", ".docker");
  return { kind: "tcp", url, tls: { certificates: env["DOCKER_CERT_PATH"] || configured, verify } };
}
