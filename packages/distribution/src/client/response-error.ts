// Refusals of a registry as TeuErrors, and bounded reading of answers. The one file where HTTP status becomes an error code.

import { type ErrorCode, isTeuError, TeuError } from "@teu/base/errors";
import { collectBytes } from "@teu/image/verified-stream";
import { parseErrorBody, type RegistryError } from "@teu/specs/distribution";

import { parseChallenges } from "../wire/challenge.ts";
import type { HttpResponse } from "./http-transport.ts";
import { rateLimitOf, rateLimitText } from "./rate-limit.ts";
import { retryAfterSeconds } from "./retry-after.ts";

/** What of authorisation an error should know. */
export interface LoginFacts {
  /** What one logs in to, when it is not the host that answered. */
  readonly host?: string;
  /** The request had a user name and a password. */
  readonly withPassword?: boolean;
  /** The request had a token of somebody who is logged in; the name, or null where only a token says who it is. */
  readonly user?: string | null;
  /** What the request needed, as scopes of tokens are written; said when the answer does not. */
  readonly needed?: readonly string[];
}

/** More of an error's body is not read. */
const ERROR_LIMIT = 64 << 10;

const STATUS: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  400: ["invalid", "the registry does not understand the request"],
  401: ["denied", "unauthorized"],
  403: ["denied", "access denied"],
  404: ["not-found", "not found"],
  405: ["unsupported", "the registry does not do this"],
  408: ["timeout", "the registry waited too long"],
  409: ["conflict", "the registry sees a conflict"],
  412: ["conflict", "changed by somebody else meanwhile"],
  413: ["exhausted", "too large for the registry"],
  415: ["unsupported", "the registry does not store this type"],
  416: ["invalid", "the registry does not have that range"],
  429: ["unavailable", "too many requests"],
  507: ["exhausted", "the registry has no space left"],
};

/** What of the codes of distribution-spec says more than the status does. */
const CODES: Readonly<Record<string, string>> = {
  MANIFEST_UNKNOWN: "manifest unknown",
  NAME_UNKNOWN: "repository unknown",
  BLOB_UNKNOWN: "blob unknown",
  BLOB_UPLOAD_UNKNOWN: "upload unknown",
  MANIFEST_BLOB_UNKNOWN: "manifest refers to content that the registry does not have",
  MANIFEST_INVALID: "manifest is not valid to the registry",
  DIGEST_INVALID: "digest is not the one of the content",
  NAME_INVALID: "repository name is not valid",
  DENIED: "access denied",
  TOOMANYREQUESTS: "too many requests",
};

/**
 * The TeuError for an answer that is a refusal; reads its body. `detail` has `status`, `codes`, `transient` for statuses
 * that may pass, and `isLogin` where it is user and password that were refused. `login` says more about a 401.
 */
export async function responseError(
  op: string,
  subject: string,
  response: HttpResponse,
  login: LoginFacts = {},
): Promise<TeuError> {
  const { status } = response;
  const entries = await readEntries(response);
  const [code, fallback] = STATUS[status] ?? [
    status >= 500 ? "unavailable" : "internal",
    `the registry answered ${status}`,
  ];
  const known = entries.map((entry) => CODES[entry.code]).find((text) => text !== undefined);
  const said = entries[0]?.message;
  const message =
    (status === 401 ? refusedLogin(response, login, said) : undefined) ??
    (known === undefined ? undefined : withReason(known, said)) ??
    (status === 404 && said === undefined ? absent(op) : undefined) ??
    (said === undefined || said === "" ? fallback : `${fallback}: ${printable(said)}`);
  const limit = status === 429 ? rateLimitOf(response) : null;
  const hint = hintFor(response, login, message, subject);
  return new TeuError({
    code,
    op,
    subject,
    message: limit === null ? message : `${message}: ${rateLimitText(limit)}`,
    detail: {
      status,
      codes: entries.map((entry) => entry.code),
      isLogin: status === 401 && (login.withPassword === true || isBasic(response)),
      // Where nothing is left for hours, asking again in seconds makes it worse.
      transient: [408, 429, 500, 502, 503, 504].includes(status) && limit?.remaining !== 0,
      ...(retryAfterSeconds(response) === null ? {} : { retryAfter: retryAfterSeconds(response) }),
    },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The whole body of an answer. @throws TeuError `exhausted` beyond `limit` bytes. */
export async function readLimited(op: string, response: HttpResponse, limit: number): Promise<Uint8Array> {
  const declared = Number(response.headers["content-length"] ?? "0");
  if (declared > limit) {
    await response[Symbol.asyncDispose]();
    throw new TeuError({
      code: "exhausted",
      op,
      subject: response.url.host,
      message: `the answer has ${declared} bytes, limit is ${limit}`,
    });
  }
  return collectBytes(response.body, limit, op);
}

async function readEntries(response: HttpResponse): Promise<readonly RegistryError[]> {
  try {
    return parseErrorBody(await readLimited("read registry error", response, ERROR_LIMIT)).errors;
  } catch (error) {
    // Proxies answer with pages, HEAD with nothing: then the status has to do.
    if (isTeuError(error)) return [];
    throw error;
  } finally {
    await response[Symbol.asyncDispose]();
  }
}

// A token server is asked by user and password before; with Basic they come along with each request.
function isBasic({ headers }: HttpResponse): boolean {
  return /^basic\b/i.test(headers["www-authenticate"] ?? "");
}

function refusedLogin(response: HttpResponse, login: LoginFacts, said: string | undefined): string | undefined {
  if (login.withPassword === true) return wrongPassword(said);
  if (login.user === undefined) return undefined;
  const asked = parseChallenges(response.headerValues("www-authenticate")).map(({ parameters }) =>
    parameters.get("scope"),
  );
  const needed = asked.find((text) => text !== undefined && text !== "") ?? login.needed?.join(" ") ?? "";
  const who = login.user === null ? "whoever is logged in" : printable(login.user);
  return `${who} may not do this${needed === "" ? "" : `: it needs ${printable(needed)}`}`;
}

// Why somebody may not do something only the registry knows; our words for the other codes say what theirs do.
function withReason(known: string, said: string | undefined): string {
  const isNews = known === CODES["DENIED"] && said !== undefined && said !== "" && said.toLowerCase() !== known;
  return isNews ? `${known}: ${printable(said)}` : known;
}

// What the registry says may be more than we know: that an account is locked.
function wrongPassword(said: string | undefined): string {
  const text = "user name or password is wrong";
  return said === undefined || said === "" || said === "authentication required" ? text : `${text}: ${printable(said)}`;
}

function hintFor(response: HttpResponse, login: LoginFacts, message: string, subject: string): string | undefined {
  const { status } = response;
  const host = login.host ?? response.url.host;
  if (status === 404 && message === CODES["MANIFEST_UNKNOWN"])
    return `see what there is: \`teu ls ${subject.replace(/@.*$/s, "").replace(/:[^/:]*$/, "")}\``;
  if (status === 401 && login.user !== undefined)
    return `ask for that right, or log in as another user with \`teu login ${host}\``;
  if (status === 401) return `log in with \`teu login ${host}\`, and check that the repository exists`;
  if (status === 403) return "your account may not do this; log in as another one";
  if (status === 413) return "something between here and the registry limits the size of requests";
  if (status !== 429) return undefined;
  const wait = retryAfterSeconds(response);
  const more = `log in with \`teu login ${host}\` for a higher limit, or name a mirror in hosts.toml`;
  return wait === null ? more : `try again in ${wait} s; ${more}`;
}

// HEAD has no body that could say it.
function absent(op: string): string {
  if (op.includes("manifest")) return "manifest unknown";
  return op.includes("blob") ? "blob unknown" : "not found";
}

function printable(text: string): string {
  return text.slice(0, 500).replace(/[\x00-\x1f\x7f-\x9f]+/g, " ");
}
