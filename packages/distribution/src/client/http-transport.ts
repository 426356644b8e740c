// One HTTP exchange over node:http or node:https with kept-alive connections: no redirects, no authentication, no retries.
// (undici would cost every command 56 ms to load.) Failures become TeuErrors that say what to do.

import type {
  Agent,
  AgentOptions,
  ClientRequest,
  IncomingHttpHeaders,
  IncomingMessage,
  RequestOptions,
} from "node:http";
import http from "node:http";
import { TeuError } from "@teu/base/errors";
import { endedError, type Scope } from "@teu/base/scope";

import type { CertificateSource, ClientCertificateSource } from "./certificates.ts";
import { isUntrusted, networkError } from "./network-error.ts";
import { isSocks, proxyFor } from "./proxy.ts";

/** A body that can be sent again after a failure. */
export interface RequestBody {
  /** Bytes. */
  readonly size: number;
  /** A chunk may be used again when the one after the next is asked for. */
  open(): AsyncIterable<Uint8Array>;
}

/** A request. */
export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
}

/** An answer. Dispose it or read its body to the end: only then the connection serves others. */
export interface HttpResponse extends AsyncDisposable {
  readonly status: number;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  /** All values of a header that may be repeated. */
  headerValues(name: string): readonly string[];
  readonly body: AsyncIterable<Uint8Array>;
}

/** How a transport connects. */
export interface TransportOptions {
  /** Certificates to trust for a host, beside Mozilla's and this system's. */
  readonly certificates?: CertificateSource;
  /** What to show to a host that asks who we are. Asked for by host: where a redirect leads to, other certificates are shown or none. */
  readonly clientCertificates?: ClientCertificateSource;
  /** Hosts (with port) whose certificates are not checked. */
  readonly insecure?: (host: string) => boolean;
  /** Proxy variables (HTTPS_PROXY, NO_PROXY ...), read as Go reads them; absent: no proxy. */
  readonly proxyEnv?: Readonly<Record<string, string | undefined>>;
  /** Nothing happens on a connection for this long: it is given up. Milliseconds, default a minute. */
  readonly idleTimeout?: number;
  /** No connection for this long: it is given up. Milliseconds, default half a minute. */
  readonly connectTimeout?: number;
  readonly userAgent?: string;
}

const MAX_SOCKETS = 16;
const CONNECT_TIMEOUT = 30_000;

/** Connections to any number of hosts. Disposing closes them. */
export class HttpTransport implements AsyncDisposable {
  readonly #options: TransportOptions;
  readonly #agents: Map<string, Promise<Agent>> = new Map();
  /** Hosts whose certificates only this system's store may know. */
  readonly #systemTrust: Set<string> = new Set();

  constructor(options: TransportOptions = {}) {
    this.#options = options;
  }

  /** Sends a request and waits for the head of the answer. @throws TeuError `unavailable`, `denied` (certificate), `timeout`, `cancelled`. */
  async send(scope: Scope, request: HttpRequest): Promise<HttpResponse> {
    try {
      return await this.#attempt(scope, request);
    } catch (error) {
      // Reading the system's store takes 50 ms: only for hosts that need it. Nothing was sent before the handshake failed.
      if (!isUntrusted(error) || this.#systemTrust.has(request.url.host)) throw error;
      await this.#trustSystem(request.url);
      return this.#attempt(scope, request);
    }
  }

  async #attempt(scope: Scope, request: HttpRequest): Promise<HttpResponse> {
    scope.check(`${request.method} ${request.url.host}`);
    const secure = request.url.protocol === "https:";
    // TLS takes 10 ms to load: not for a registry on this machine.
    const connect = secure ? (await import("node:https")).request : http.request;
    const options: RequestOptions = {
      method: request.method,
      agent: await this.#agent(request.url),
      signal: scope.signal,
      timeout: this.#options.idleTimeout ?? 60_000,
      maxHeaderSize: 65_536,
      headers: this.#headers(request),
    };
    const outgoing = connect(request.url, options);
    limitConnecting(outgoing, this.#options.connectTimeout ?? CONNECT_TIMEOUT);
    try {
      const incoming = await exchange(outgoing, request.body);
      return responseOf(scope, request.url, incoming);
    } catch (error) {
      outgoing.destroy();
      if (scope.signal.aborted) throw endedError(`${request.method} ${request.url.host}`, scope.signal.reason);
      throw networkError(request.url, error, this.#proxy(request.url));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents.values()) (await agent).destroy();
    this.#agents.clear();
  }

  #headers({ headers, body, method }: HttpRequest): Record<string, string> {
    return {
      "user-agent": this.#options.userAgent ?? "teu",
      // Compressed in transit, content would have another length than its descriptor says.
      "accept-encoding": "identity",
      ...(body !== undefined
        ? { "content-length": String(body.size) }
        : method === "GET" || method === "HEAD"
          ? {}
          : { "content-length": "0" }),
      ...headers,
    };
  }

  async #trustSystem(url: URL): Promise<void> {
    this.#systemTrust.add(url.host);
    const agent = this.#agents.get(url.origin);
    this.#agents.delete(url.origin);
    (await agent)?.destroy();
  }

  #agent(url: URL): Promise<Agent> {
    let agent = this.#agents.get(url.origin);
    if (agent === undefined) this.#agents.set(url.origin, (agent = this.#makeAgent(url)));
    // A file that cannot be read now may be mended later.
    agent.catch(() => this.#agents.delete(url.origin));
    return agent;
  }

  #proxy(url: URL): URL | null {
    const { proxyEnv } = this.#options;
    return proxyEnv === undefined ? null : proxyFor(url, proxyEnv);
  }

  async #makeAgent(url: URL): Promise<Agent> {
    const proxy = this.#proxy(url);
    const options = {
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      scheduling: "lifo" as const,
      // Node is told which one; that it is to be used was decided above.
      ...(proxy === null || isSocks(proxy) ? {} : { proxyEnv: { HTTP_PROXY: proxy.href, HTTPS_PROXY: proxy.href } }),
    };
    const secure = url.protocol === "https:";
    const agent = secure ? await this.#makeSecureAgent(url.host, options) : new http.Agent(options);
    if (proxy !== null && isSocks(proxy)) {
      const { connectThrough } = await import("./socks.ts");
      connectThrough(agent, proxy, secure, this.#options.connectTimeout ?? CONNECT_TIMEOUT);
    }
    return agent;
  }

  async #makeSecureAgent(host: string, options: AgentOptions): Promise<Agent> {
    const { certificates, clientCertificates, insecure } = this.#options;
    const own = (await certificates?.(host)) ?? [];
    const shown = (await clientCertificates?.(host)) ?? [];
    const [{ Agent: SecureAgent }, tls] = await Promise.all([import("node:https"), import("node:tls")]);
    const system = this.#systemTrust.has(host) ? tls.getCACertificates("system") : [];
    const trusted = [...own, ...system];
    // A context for all connections: it costs 20 ms when it is not the default one.
    const context = {
      ...(trusted.length === 0 ? {} : { ca: [...tls.getCACertificates("default"), ...trusted] }),
      ...(shown.length === 0 ? {} : { cert: shown.map(({ cert }) => cert), key: shown.map(({ key }) => key) }),
    };
    return new SecureAgent({
      ...options,
      ...(Object.keys(context).length === 0 ? {} : { secureContext: tls.createSecureContext(context) }),
      rejectUnauthorized: insecure?.(host) !== true,
    });
  }
}

// The idle timeout is for answers; that nobody is there shows sooner.
function limitConnecting(outgoing: ClientRequest, limit: number): void {
  outgoing.once("socket", (socket) => {
    if (!socket.connecting) return;
    const late = Object.assign(new Error("no connection in time"), { code: "ETIMEDOUT" });
    const timer = setTimeout(() => outgoing.destroy(late), limit);
    for (const event of ["connect", "close"]) socket.once(event, () => clearTimeout(timer));
  });
}

// Resolves with the answer's head. The answer may come before the body is sent: then the rest of the body is not.
async function exchange(outgoing: ClientRequest, body: RequestBody | undefined): Promise<IncomingMessage> {
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
    outgoing.once("timeout", () =>
      outgoing.destroy(Object.assign(new Error("nothing was received in time"), { code: "ETIMEDOUT" })),
    );
    // Informational answers and upgrades are not for us.
    outgoing.once("upgrade", (_message, socket) => {
      socket.destroy();
      reject(new Error("unexpected protocol switch"));
    });
  });
  // Later errors (of a socket whose answer is being read) are reported by the answer's stream.
  answer.then(
    () => outgoing.on("error", () => {}),
    () => outgoing.on("error", () => {}),
  );
  if (body === undefined) {
    outgoing.end();
    return answer;
  }
  const sending = sendBody(outgoing, body, answer);
  sending.catch(() => {});
  return Promise.race([answer, sending.then(() => answer)]);
}

async function sendBody(outgoing: ClientRequest, body: RequestBody, answer: Promise<IncomingMessage>): Promise<void> {
  let answered = false;
  const stop = answer.then(
    () => void (answered = true),
    () => void (answered = true),
  );
  let sent = 0;
  let before: Promise<void> = Promise.resolve();
  for await (const chunk of body.open()) {
    if (answered) return;
    sent += chunk.length;
    if (sent > body.size) break;
    // One chunk is on its way while the next one is read.
    const written = write(outgoing, chunk);
    await Promise.race([before, stop]);
    before = written;
  }
  if (answered) return;
  if (sent !== body.size) {
    throw new TeuError({
      code: "corrupt",
      op: "send content",
      message: `source has ${sent} bytes instead of ${body.size}`,
    });
  }
  outgoing.end();
}

/** Resolves when the kernel has all of the chunk, or never will have. */
function write(outgoing: ClientRequest, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => outgoing.write(chunk, () => resolve()));
}

function responseOf(scope: Scope, url: URL, incoming: IncomingMessage): HttpResponse {
  return {
    status: incoming.statusCode ?? 0,
    url,
    headers: incoming.headers,
    headerValues: (name) => incoming.headersDistinct[name] ?? [],
    body: bodyOf(scope, url, incoming),
    [Symbol.asyncDispose]: async () => {
      if (incoming.complete && incoming.readableEnded) return;
      // A short rest is read so that the connection can be used again; a long one is not worth it.
      const left = Number(incoming.headers["content-length"] ?? Number.POSITIVE_INFINITY);
      if (left <= 65_536 && !incoming.readableDidRead) incoming.resume();
      else incoming.destroy();
    },
  };
}

async function* bodyOf(scope: Scope, url: URL, incoming: IncomingMessage): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of incoming as AsyncIterable<Uint8Array>) yield chunk;
  } catch (error) {
    if (scope.signal.aborted) throw endedError(`read from ${url.host}`, scope.signal.reason);
    throw networkError(url, error);
  }
}
