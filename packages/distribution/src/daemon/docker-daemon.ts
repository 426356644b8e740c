// Images of a Docker daemon, by its API: exported as an archive (GET /images/get), loaded from one (POST /images/load). Both are
// streams; the daemon decides what it keeps. No version in the paths: each daemon then speaks its own.

import { readFile } from "node:fs/promises";
import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { join } from "node:path";
import { isTeuError, TeuError } from "@teu/base/errors";
import { endedError, type Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";
import type { ArchiveOutput } from "@teu/image/transport/archive-sink";
import { parseJson } from "@teu/specs/json";

import type { DaemonAddress, DaemonTls } from "./daemon-address.ts";

/** Longest answer that is not an archive. */
const TEXT_LIMIT = 1 << 20;

/** One daemon. Each call is a connection of its own. */
export class DockerDaemon {
  readonly #address: DaemonAddress;

  constructor(address: DaemonAddress) {
    this.#address = address;
  }

  /** The archive of an image. @throws TeuError `not-found`, `unavailable`, `denied`. */
  async *exportImage(scope: Scope, name: string): AsyncIterable<Uint8Array> {
    const op = "export image from Docker";
    const request = await this.#request(scope, "GET", `/images/get?${new URLSearchParams({ names: name }).toString()}`);
    request.end();
    const answer = await answerTo(scope, request, op, this.#name);
    try {
      if (answer.statusCode !== 200) throw await refusal(answer, op, name);
      for await (const chunk of answer as AsyncIterable<Uint8Array>) yield chunk;
    } catch (error) {
      throw this.#failure(scope, op, error);
    } finally {
      answer.destroy();
    }
  }

  /** An output that the daemon loads images from while it is written. */
  async load(scope: Scope): Promise<ArchiveOutput> {
    const request = await this.#request(scope, "POST", "/images/load?quiet=1", { "content-type": "application/x-tar" });
    return new LoadOutput(scope, request, this.#name, (op, error) => this.#failure(scope, op, error));
  }

  get #name(): string {
    return this.#address.kind === "unix" ? this.#address.path : this.#address.url.host;
  }

  async #request(
    scope: Scope,
    method: string,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<ClientRequest> {
    scope.check("reach Docker daemon");
    const address = this.#address;
    const options: RequestOptions = {
      method,
      path,
      signal: scope.signal,
      agent: false,
      headers: { host: "docker", ...headers },
    };
    if (address.kind === "unix") return http.request({ ...options, socketPath: address.path });
    const { hostname, port } = address.url;
    const at = {
      ...options,
      host: hostname.replace(/^\[|\]$/g, ""),
      port,
      headers: { ...headers, host: address.url.host },
    };
    if (address.tls === undefined) return http.request(at);
    const https = await import("node:https");
    return https.request({ ...at, ...(await certificates(address.tls)) });
  }

  #failure(scope: Scope, op: string, error: unknown): TeuError {
    if (isTeuError(error)) return error;
    if (scope.signal.aborted) return endedError(op, scope.signal.reason);
    const { code = "" } = error as NodeJS.ErrnoException;
    const denied = code === "EACCES";
    return new TeuError({
      code: denied ? "denied" : "unavailable",
      op,
      subject: this.#name,
      message: denied ? "the daemon's socket may not be used" : "the daemon cannot be reached, or broke off",
      hint: denied ? "be root, or in the group docker" : "is dockerd running? DOCKER_HOST says where",
      cause: error,
    });
  }
}

class LoadOutput implements ArchiveOutput {
  readonly #scope: Scope;
  readonly #request: ClientRequest;
  readonly #answer: Promise<IncomingMessage>;
  readonly #name: string;
  readonly #failure: (op: string, error: unknown) => TeuError;
  /** The daemon answered before everything was sent: it will not read the rest. */
  #early: IncomingMessage | undefined;
  #done = false;

  constructor(scope: Scope, request: ClientRequest, name: string, failure: (op: string, error: unknown) => TeuError) {
    this.#scope = scope;
    this.#request = request;
    this.#name = name;
    this.#failure = failure;
    // What comes after the answer changes nothing any more.
    request.on("error", () => {});
    this.#answer = new Promise((resolve, reject) => request.once("response", resolve).once("error", reject));
    this.#answer.then(
      (answer) => void (this.#early = answer),
      () => {},
    );
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#scope.check(OP_LOAD);
    if (this.#early !== undefined) throw await this.#refused(this.#early);
    if (bytes.length === 0 || this.#request.write(bytes)) return;
    // Whichever comes first: room, an answer, a failure.
    const drained = new Promise<void>((resolve) => this.#request.once("drain", resolve));
    await Promise.race([drained, this.#answer]).catch((error: unknown) => {
      throw this.#failure(OP_LOAD, error);
    });
  }

  async publish(): Promise<void> {
    this.#request.end();
    try {
      const answer = await this.#answer;
      if (answer.statusCode !== 200) throw await this.#refused(answer);
      // A failure of loading itself comes in the middle of a good answer.
      const said = faultIn(await textOf(answer));
      if (said !== null) throw new TeuError({ code: "invalid", op: OP_LOAD, subject: this.#name, message: said });
    } catch (error) {
      throw this.#failure(OP_LOAD, error);
    }
    this.#done = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Half an archive is none: the daemon drops it.
    if (!this.#done) this.#request.destroy();
  }

  async #refused(answer: IncomingMessage): Promise<TeuError> {
    return refusal(answer, OP_LOAD, this.#name);
  }
}

const OP_LOAD = "load image into Docker";

async function answerTo(scope: Scope, request: ClientRequest, op: string, name: string): Promise<IncomingMessage> {
  // What comes after the answer is told by its stream.
  request.on("error", () => {});
  try {
    return await new Promise<IncomingMessage>((resolve, reject) =>
      request.once("response", resolve).once("error", reject),
    );
  } catch (error) {
    if (scope.signal.aborted) throw endedError(op, scope.signal.reason);
    throw new TeuError({
      code: (error as NodeJS.ErrnoException).code === "EACCES" ? "denied" : "unavailable",
      op,
      subject: name,
      message: "the daemon cannot be reached",
      hint: "is dockerd running? DOCKER_HOST says where",
      cause: error,
    });
  }
}

async function refusal(answer: IncomingMessage, op: string, subject: string): Promise<TeuError> {
  const status = answer.statusCode ?? 0;
  const said = messageIn(await textOf(answer)) ?? `the daemon answered with status ${status}`;
  // Daemons before 25 answer 500 for names that they do not know.
  const absent = status === 404 || /No such image|reference does not exist/i.test(said);
  return new TeuError({
    code: absent ? "not-found" : status === 400 ? "invalid" : "unavailable",
    op,
    subject,
    message: said,
  });
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > TEXT_LIMIT) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** `{"message": "..."}` */
function messageIn(text: string): string | null {
  const value = jsonObject(text);
  return value !== null && typeof value["message"] === "string" ? clean(value["message"]) : null;
}

/** `{"errorDetail": {...}, "error": "..."}` among lines of progress. */
function faultIn(text: string): string | null {
  for (const line of text.split("\n")) {
    const error = jsonObject(line)?.["error"];
    if (typeof error === "string") return clean(error);
  }
  return null;
}

function jsonObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value = parseJson(text, { document: "answer", maxLength: TEXT_LIMIT });
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch (error) {
    if (isTeuError(error, "invalid")) return null;
    throw error;
  }
}

function clean(text: string): string {
  return text.slice(0, 300).replace(/[\x00-\x1f\x7f]+/g, " ");
}

async function certificates({ certificates: directory, verify }: DaemonTls): Promise<object> {
  const read = async (name: string): Promise<string | undefined> => {
    const file = join(directory, name);
    try {
      return await readFile(file, "latin1");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw fileError("read certificate", file, error);
    }
  };
  const [ca, cert, key] = [await read("ca.pem"), await read("cert.pem"), await read("key.pem")];
  return {
    rejectUnauthorized: verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}
