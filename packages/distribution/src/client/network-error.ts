// Failed connections as TeuErrors: what was tried, what is so, what to do.

import { type ErrorCode, isTeuError, TeuError } from "@teu/base/errors";

interface Meaning {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  /** Trying again may help. */
  readonly transient?: boolean;
}

const CERTIFICATE = (host: string): string =>
  `put its CA certificate into /etc/docker/certs.d/${host}/ca.crt, or use --insecure if that is what you want`;
/** Where there are no words of our own. */
const FAILED = "connection failed";
const SHOWN = (host: string): string =>
  `put a certificate that it trusts into /etc/docker/certs.d/${host}/client.cert with client.key, or name a directory with --cert-dir`;
const PLAIN = (host: string): string => `if ${host} speaks plain HTTP, use --insecure`;

const MEANINGS: Readonly<Record<string, (host: string) => Meaning>> = {
  ECONNREFUSED: (host) => ({
    code: "unavailable",
    message: "connection refused",
    hint: `is a registry running at ${host}?`,
  }),
  ENOTFOUND: (host) => ({
    code: "unavailable",
    message: "host not found",
    hint: `check the name ${host} and the network`,
  }),
  EAI_AGAIN: () => ({
    code: "unavailable",
    message: "host name cannot be looked up now",
    hint: "check the network",
    transient: true,
  }),
  EHOSTUNREACH: () => ({ code: "unavailable", message: "no route to host", hint: "check the network" }),
  ENETUNREACH: () => ({ code: "unavailable", message: "no network", hint: "check the network" }),
  ETIMEDOUT: () => ({ code: "timeout", message: "no answer in time", transient: true }),
  ECONNRESET: () => ({ code: "unavailable", message: "connection broke", transient: true }),
  EPIPE: () => ({ code: "unavailable", message: "connection broke", transient: true }),
  ECONNABORTED: () => ({ code: "unavailable", message: "connection broke", transient: true }),
  EPROTO: (host) => ({
    code: "unavailable",
    message: "no TLS at the other end",
    hint: PLAIN(host),
  }),
  ERR_SSL_WRONG_VERSION_NUMBER: (host) => ({
    code: "unavailable",
    message: "no TLS at the other end",
    hint: PLAIN(host),
  }),
  ERR_SSL_PACKET_LENGTH_TOO_LONG: (host) => ({
    code: "unavailable",
    message: "no TLS at the other end",
    hint: PLAIN(host),
  }),
  HPE_HEADER_OVERFLOW: () => ({ code: "invalid", message: "headers are too large" }),
  CERT_HAS_EXPIRED: () => ({
    code: "denied",
    message: "certificate has expired",
    hint: "the registry must renew it; check this machine's clock too",
  }),
  CERT_NOT_YET_VALID: () => ({
    code: "denied",
    message: "certificate is not valid yet",
    hint: "check this machine's clock",
  }),
  ERR_TLS_CERT_ALTNAME_INVALID: () => ({
    code: "denied",
    message: "certificate is for another host",
    hint: "use the name that the certificate is for, or --insecure if that is what you want",
  }),
};

const UNTRUSTED: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_GET_ISSUER_CERT",
  "CERT_UNTRUSTED",
  "CERT_SIGNATURE_FAILURE",
]);

/** The TeuError for a connection that failed; a TeuError passes unchanged. `detail.transient` marks what may work at the next try. */
export function networkError(url: URL, error: unknown, proxy: URL | null = null): TeuError {
  if (isTeuError(error)) return error;
  const code = systemCode(error);
  const meaning =
    behindProxy(proxy, code) ?? refusal(error, url.host) ?? aboutNames(meaningOf(code, url.host), code, error);
  return new TeuError({
    code: meaning.code,
    op: "reach registry",
    subject: url.host,
    message: meaning.message,
    detail: { errno: code, transient: meaning.transient === true },
    ...(meaning.hint === undefined ? {} : { hint: meaning.hint }),
    // The system's text repeats what is said already, except where we have no words of our own.
    ...(meaning.message === FAILED ? { cause: error } : {}),
  });
}

// The alert with which the other end of TLS broke off; the older protocol has none for a certificate that is missing.
const ALERT =
  /\balert (certificate required|handshake failure|bad certificate|unknown ca|certificate unknown|certificate expired)\b/;

function refusal(error: unknown, host: string): Meaning | null {
  const [, alert] = ALERT.exec(error instanceof Error ? error.message : "") ?? [];
  if (alert === undefined) return null;
  const isMissing = alert === "certificate required" || alert === "handshake failure";
  const message = isMissing ? "it wants a certificate of this client" : "it refuses the certificate of this client";
  return { code: "denied", message: `${message} (${alert})`, hint: SHOWN(host) };
}

const UNREACHED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

// It is the proxy that a connection is made to: whether there is a registry nobody knows.
function behindProxy(proxy: URL | null, code: string): Meaning | null {
  if (proxy === null || !UNREACHED.has(code)) return null;
  const { code: kind, message, transient } = meaningOf(code, proxy.host);
  return {
    code: kind,
    message: `the proxy ${proxy.host} cannot be reached: ${message}`,
    hint: "check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY; NO_PROXY names hosts that need none",
    ...(transient === undefined ? {} : { transient }),
  };
}

function aboutNames(meaning: Meaning, code: string, error: unknown): Meaning {
  if (code !== "ERR_TLS_CERT_ALTNAME_INVALID") return meaning;
  const { cert } = error as {
    readonly cert?: { readonly subjectaltname?: string; readonly subject?: { readonly CN?: string } };
  };
  const names = cert?.subjectaltname?.replace(/\b(?:DNS|IP Address):/g, "") ?? cert?.subject?.CN;
  if (names === undefined) return meaning;
  return {
    ...meaning,
    message: `certificate is for another host: ${names.slice(0, 200).replace(/[^\x20-\x7e]/g, "?")}`,
  };
}

/** Whether a certificate was refused because nobody known stands for it. */
export function isUntrusted(error: unknown): boolean {
  return isTeuError(error) && UNTRUSTED.has(String(error.detail["errno"]));
}

/** Whether trying the same again may help. */
export function isTransient(error: unknown): boolean {
  return isTeuError(error) && error.detail["transient"] === true;
}

function meaningOf(code: string, host: string): Meaning {
  if (UNTRUSTED.has(code)) {
    const why = code.includes("SELF_SIGNED") ? "nobody but itself stands for it" : "its authority is not known here";
    return { code: "denied", message: `certificate is not trusted: ${why}`, hint: CERTIFICATE(host) };
  }
  const known = MEANINGS[code];
  if (known !== undefined) return known(host);
  if (code.startsWith("HPE_"))
    return { code: "invalid", message: "the answer is not HTTP", hint: `does ${host} speak TLS?` };
  return { code: "unavailable", message: FAILED, transient: false };
}

// Happy eyeballs wraps the errors of all addresses into one.
function systemCode(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return systemCode(error.errors[0]);
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? "") : "";
}
