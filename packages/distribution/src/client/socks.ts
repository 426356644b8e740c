// Connections through a SOCKS5 proxy (RFC 1928), with user and password where the proxy wants them (RFC 1929). The proxy looks names up,
// for socks5:// and socks5h:// alike: so does Go, which Docker, Podman and containerd are written in.

import type { Agent } from "node:http";
import { connect, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { isTeuError, TeuError } from "@teu/base/errors";

type ConnectOptions = Parameters<Agent["createConnection"]>[0];
type Connected = Parameters<Agent["createConnection"]>[1];

async function settle(opening: Promise<Duplex>, told: Connected): Promise<void> {
  let socket: Duplex;
  try {
    socket = await opening;
  } catch (error) {
    told?.(error as Error, undefined as never);
    return;
  }
  told?.(null, socket);
}

/** Where to, and how long it may take. */
interface SocksTarget {
  readonly host: string;
  readonly port: number;
  /** Milliseconds until the connection stands. */
  readonly timeout: number;
}

/** Has an agent connect through the proxy, each connection within `timeout` milliseconds. TLS, where there is any, is the agent's. */
export function connectThrough(agent: Agent, proxy: URL, secure: boolean, timeout: number): void {
  const pending = new Set<Socket>();
  const connectItself = agent.createConnection.bind(agent);
  const destroy = agent.destroy.bind(agent);
  const open = async (options: ConnectOptions): Promise<Duplex> => {
    let own: Socket | undefined;
    try {
      const target = { host: String(options.host), port: Number(options.port), timeout };
      const socket = await connectBySocks(proxy, target, (started) => void pending.add((own = started)));
      return secure ? (connectItself({ ...options, socket } as ConnectOptions) ?? socket) : socket;
    } finally {
      if (own !== undefined) pending.delete(own);
    }
  };
  agent.createConnection = (options, callback) => {
    void settle(open(options), callback);
    return undefined;
  };
  agent.destroy = () => {
    for (const socket of pending) socket.destroy();
    destroy();
  };
}

const VERSION = 5;
const METHOD = { none: 0, password: 2, refused: 0xff } as const;
const CONNECT = 1;
const ADDRESS = { v4: 1, name: 3, v6: 4 } as const;

const REPLIES: Readonly<Record<number, string>> = {
  1: "the proxy failed",
  2: "the proxy does not allow it",
  3: "the proxy has no network to it",
  4: "the proxy cannot reach it, or does not know its name",
  5: "it refuses the proxy's connection",
  6: "it is too far away from the proxy",
  7: "the proxy makes no connections",
  8: "the proxy knows no addresses of this kind",
};

/**
 * A connection to the target; `started` is told the socket at once, so that it can be given up while it is made.
 * @throws TeuError `unavailable`, `denied` (user and password, or a rule of the proxy), `timeout`; its text names proxy and target,
 * never a password.
 */
async function connectBySocks(proxy: URL, target: SocksTarget, started: (socket: Socket) => void): Promise<Socket> {
  const socket = connect({ host: bare(proxy.hostname), port: Number(proxy.port || 1080) });
  started(socket);
  const late = setTimeout(
    () => socket.destroy(Object.assign(new Error("no answer in time"), { code: "ETIMEDOUT" })),
    target.timeout,
  );
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("error", reject);
      socket.once("close", () => reject(fault("unavailable", "the connection was given up")));
    });
    const reader = new SocketReader(socket);
    await greet(socket, reader, proxy);
    await ask(socket, reader, target);
    reader.release();
    return socket;
  } catch (error) {
    socket.destroy();
    throw failed(proxy, target, error);
  } finally {
    clearTimeout(late);
  }
}

async function greet(socket: Socket, reader: SocketReader, proxy: URL): Promise<void> {
  const credentials = proxy.username === "" ? null : [proxy.username, proxy.password].map(unescaped);
  const methods = credentials === null ? [METHOD.none] : [METHOD.none, METHOD.password];
  socket.write(Buffer.from([VERSION, methods.length, ...methods]));
  const [version, method = METHOD.refused] = await reader.take(2);
  if (version !== VERSION) throw fault("unavailable", "it does not speak SOCKS5");
  if (method === METHOD.none) return;
  if (method !== METHOD.password || credentials === null)
    throw fault("denied", "it wants another kind of proof of who we are", "give user and password in the address");
  const [user, password] = credentials.map((text) => Buffer.from(text));
  if (user === undefined || password === undefined || user.length > 255 || password.length > 255)
    throw fault("denied", "user or password is longer than SOCKS5 can say");
  socket.write(Buffer.concat([Buffer.from([1, user.length]), user, Buffer.from([password.length]), password]));
  const [, status] = await reader.take(2);
  if (status !== 0) throw fault("denied", "user or password is wrong");
}

async function ask(socket: Socket, reader: SocketReader, { host, port }: SocksTarget): Promise<void> {
  const head = Buffer.from([VERSION, CONNECT, 0]);
  socket.write(Buffer.concat([head, addressOf(bare(host)), Buffer.from([port >> 8, port & 0xff])]));
  const [version, reply = 1, , type] = await reader.take(4);
  if (version !== VERSION) throw fault("unavailable", "it does not speak SOCKS5");
  if (reply !== 0) throw fault(reply === 2 ? "denied" : "unavailable", REPLIES[reply] ?? `the proxy says ${reply}`);
  // Where the proxy connected from: nothing that we need.
  const length = type === ADDRESS.v4 ? 4 : type === ADDRESS.v6 ? 16 : (await reader.take(1))[0];
  await reader.take((length ?? 0) + 2);
}

function addressOf(host: string): Buffer {
  const family = isIP(host);
  if (family === 4) return Buffer.from([ADDRESS.v4, ...host.split(".").map(Number)]);
  if (family === 6) return Buffer.concat([Buffer.from([ADDRESS.v6]), v6Bytes(host)]);
  const name = Buffer.from(host);
  if (name.length > 255) throw fault("unavailable", "the host's name is longer than SOCKS5 can say");
  return Buffer.concat([Buffer.from([ADDRESS.name, name.length]), name]);
}

/** Sixteen bytes; the URL parser has written the address without dotted parts. */
function v6Bytes(host: string): Buffer {
  const [before = "", after] = bare(new URL(`http://[${host}]/`).hostname).split("::");
  const words = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((word) => Number.parseInt(word, 16));
  const [first, last] = [words(before), words(after ?? "")];
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff]));
}

/** Takes an answer apart by exact lengths: what comes behind it belongs to the connection. */
class SocketReader {
  readonly #socket: Socket;
  #failure: unknown;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("readable", this.#onReadable).on("end", this.#onEnd).on("error", this.#onError).on("close", this.#onEnd);
  }

  async take(length: number): Promise<Buffer> {
    for (;;) {
      const found = this.#socket.read(length) as Buffer | null;
      if (found !== null && found.length === length) return found;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  release(): void {
    this.#socket
      .off("readable", this.#onReadable)
      .off("end", this.#onEnd)
      .off("error", this.#onError)
      .off("close", this.#onEnd);
  }

  readonly #onReadable = (): void => this.#wake();
  readonly #onEnd = (): void => this.#onError(fault("unavailable", "it hung up"));
  readonly #onError = (error: unknown): void => {
    this.#failure ??= error;
    this.#wake();
  };
}

function fault(code: "unavailable" | "denied", message: string, hint?: string): TeuError {
  return new TeuError({ code, op: "connect", message, ...(hint === undefined ? {} : { hint }) });
}

function failed(proxy: URL, { host, port }: SocksTarget, error: unknown): TeuError {
  const known = isTeuError(error) ? error : null;
  const errno = (error as NodeJS.ErrnoException).code;
  return new TeuError({
    code: known?.code ?? (errno === "ETIMEDOUT" ? "timeout" : "unavailable"),
    op: "connect",
    subject: `${bare(host)}:${port}`,
    message: `SOCKS proxy ${proxy.host}: ${known?.what ?? errno ?? "connection failed"}`,
    detail: { errno: errno ?? "", transient: known === null && errno !== "ECONNREFUSED" && errno !== "ENOTFOUND" },
    ...(known?.hint === undefined ? {} : { hint: known.hint }),
  });
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
