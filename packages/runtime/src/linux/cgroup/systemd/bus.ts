// A connection to systemd's manager over D-Bus: finding it, the handshake, calls with their answers, the signal of a finished job.
// portable: no host types here.

import { concatBytes } from "@teu/base/bytes";
import { TeuError, isTeuError } from "@teu/base/errors";
import { AT_FDCWD } from "@teu/sys/constants/fs";
import { AF_UNIX, POLLIN, SOCK_STREAM } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { valueIn } from "../../../cli/environment.ts";
import { verbatim } from "../../../failure.ts";
import type { ManagerFacts } from "./unit.ts";
import { type Message, type Value, decodeMessage, encodeMessage, messageLength } from "./wire.ts";

const BOOTED = "/run/systemd/system";
const PRIVATE = "/run/systemd/private";
const SYSTEM_BUS = "/run/dbus/system_bus_socket";
const NAME = "org.freedesktop.systemd1";
const OBJECT = "/org/freedesktop/systemd1";
const MANAGER = "org.freedesktop.systemd1.Manager";
const BUS = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };
const ANSWER_MS = 30_000;
const CHUNK = 64 << 10;

/** An open connection; `close` ends it. */
export class SystemdBus {
  /** The user's own manager, not the system's. */
  readonly user: boolean;
  readonly #kernel: Kernel;
  readonly #fd: number;
  #serial = 0;
  #pending = new Uint8Array(0);
  /** Jobs that ended before somebody asked: path to result. */
  readonly #ended = new Map<string, string>();

  private constructor(kernel: Kernel, fd: number, user: boolean) {
    this.#kernel = kernel;
    this.#fd = fd;
    this.user = user;
  }

  /**
   * Connects to the system's manager, or with `user` to the caller's own. Throws `unavailable` in runc's words when no systemd runs,
   * and in clear ones when it does not answer.
   */
  static connect(kernel: Kernel, user: boolean): SystemdBus {
    const { path, direct } = findBus(kernel, user);
    const fd = kernel.socket.socket(AF_UNIX, SOCK_STREAM, 0);
    try {
      kernel.socket.connectUnix(fd, path);
      const bus = new SystemdBus(kernel, fd, user);
      bus.#authenticate();
      if (!direct) {
        bus.#call({ ...BUS, member: "Hello" });
        const rule = `type='signal',sender='${NAME}',interface='${MANAGER}',member='JobRemoved'`;
        bus.#call({ ...BUS, member: "AddMatch", signature: "s", body: [rule] });
      }
      return bus;
    } catch (error) {
      kernel.fs.close(fd);
      throw new TeuError({
        code: "unavailable",
        op: "connect to systemd",
        subject: path,
        message: isSysError(error) ? "cannot be reached" : "does not answer as D-Bus",
        hint: "Use --cgroup-manager=cgroupfs to do without systemd.",
        cause: error,
      });
    }
  }

  /** Calls a method of the manager; its answer's values. Throws `internal` with the name and text of the error. */
  manager(member: string, signature = "", body: readonly Value[] = []): readonly Value[] {
    return this.#call({ destination: NAME, path: OBJECT, interface: MANAGER, member, signature, body });
  }

  /** What plans need to know. */
  facts(): ManagerFacts {
    return { user: this.user, base: this.user ? (this.#property("ControlGroup") as string) : "" };
  }

  #property(name: string): Value {
    const [value] = this.#call({
      destination: NAME,
      path: OBJECT,
      interface: "org.freedesktop.DBus.Properties",
      member: "Get",
      signature: "ss",
      body: [MANAGER, name],
    });
    return typeof value === "object" && "value" in value ? value.value : "";
  }

  /** Waits until a job has ended; its result: "done", "failed", "timeout" ... Throws `timeout`. `Subscribe` must have been called. */
  jobResult(job: string): string {
    for (;;) {
      const result = this.#ended.get(job);
      if (result !== undefined) return result;
      this.#keep(this.#receive());
    }
  }

  close(): void {
    this.#kernel.fs.close(this.#fd);
  }

  /** EXTERNAL: the socket itself says who we are ("Authentication Protocol"). */
  #authenticate(): void {
    const { host, process } = this.#kernel;
    const uid = [...String(process.geteuid())].map((digit) => digit.charCodeAt(0).toString(16)).join("");
    this.#send(host.utf8Encode(`\0AUTH EXTERNAL ${uid}\r\n`));
    let answer = "";
    while (!answer.endsWith("\r\n")) answer += host.utf8Decode(this.#read());
    if (!answer.startsWith("OK"))
      throw new TeuError({ code: "denied", op: "log in to D-Bus", message: `answer ${JSON.stringify(answer.trim())}` });
    this.#send(host.utf8Encode("BEGIN\r\n"));
  }

  #call(call: Omit<Message, "type" | "serial" | "body"> & { readonly body?: readonly Value[] }): readonly Value[] {
    const serial = ++this.#serial;
    this.#send(encodeMessage({ ...call, type: "call", serial, body: call.body ?? [] }, this.#kernel.host.utf8Encode));
    for (;;) {
      const message = this.#receive();
      this.#keep(message);
      if (message.replySerial !== serial) continue;
      if (message.type === "return") return message.body;
      throw new TeuError({
        code: "internal",
        op: "call systemd",
        subject: call.member ?? "",
        message: typeof message.body[0] === "string" ? message.body[0] : (message.error ?? "refused"),
        detail: { error: message.error ?? "" },
      });
    }
  }

  #keep(message: Message): void {
    if (message.type !== "signal" || message.member !== "JobRemoved") return;
    const [, job, , result] = message.body;
    if (typeof job === "string" && typeof result === "string") this.#ended.set(job, result);
  }

  #receive(): Message {
    for (;;) {
      const length = messageLength(this.#pending);
      if (length !== null && this.#pending.length >= length) {
        const message = decodeMessage(this.#pending.slice(0, length), this.#kernel.host.utf8Decode);
        this.#pending = this.#pending.slice(length);
        return message;
      }
      this.#pending = concatBytes([this.#pending, this.#read()]) as Uint8Array<ArrayBuffer>;
    }
  }

  #read(): Uint8Array {
    if (!this.#kernel.poll.pollOne(this.#fd, POLLIN, ANSWER_MS))
      throw new TeuError({
        code: "timeout",
        op: "wait for systemd",
        message: `no answer within ${ANSWER_MS / 1000} s`,
      });
    const data = this.#kernel.fs.read(this.#fd, CHUNK);
    if (data.length === 0)
      throw new TeuError({ code: "unavailable", op: "wait for systemd", message: "it closed the connection" });
    return data;
  }

  #send(data: Uint8Array): void {
    this.#kernel.fs.write(this.#fd, data);
  }
}

/** The name of a D-Bus error that a call ended with; "" for other errors. */
export function busErrorName(error: unknown): string {
  return isTeuError(error) && typeof error.detail["error"] === "string" ? error.detail["error"] : "";
}

/** Where to connect; `direct`: no bus daemon in between. */
function findBus(kernel: Kernel, user: boolean): { readonly path: string; readonly direct: boolean } {
  const environment = kernel.process.environ();
  const given = valueIn(environment, user ? "DBUS_SESSION_BUS_ADDRESS" : "DBUS_SYSTEM_BUS_ADDRESS");
  // Whoever gives an address has one; it need not be a host that systemd has booted.
  if (given !== "") return { path: unixPath(given), direct: false };
  const there = (path: string): boolean => kernel.fs.accessAt(AT_FDCWD, path, 0);
  if (!there(BOOTED))
    throw verbatim("unavailable", "systemd not running on this host, cannot use systemd cgroups manager");
  if (!user) return there(PRIVATE) ? { path: PRIVATE, direct: true } : { path: SYSTEM_BUS, direct: false };
  const runtime = valueIn(environment, "XDG_RUNTIME_DIR");
  if (runtime === "") throw verbatim("unavailable", "the user's systemd cannot be found: XDG_RUNTIME_DIR is not set");
  const own = `${runtime}/systemd/private`;
  return there(own) ? { path: own, direct: true } : { path: `${runtime}/bus`, direct: false };
}

/** The socket of the first address that has one ("Server Addresses"). */
function unixPath(addresses: string): string {
  for (const address of addresses.split(";")) {
    const match = /^unix:(?:.*,)?(path|abstract)=([^,]*)/.exec(address);
    if (match === null) continue;
    const [, kind = "", text = ""] = match;
    const path = text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    );
    return kind === "abstract" ? `@${path}` : path;
  }
  throw verbatim("unsupported", `D-Bus address ${JSON.stringify(addresses)} is no unix socket's`);
}
