// Drives the real shim binary through its socket, as the engine does, in directories and namespaces of its own.
// RUNTIME selects the runtime (default runc), SHIM the shim's binary (default bin/teu-shim).

import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type {
  ExitRecord,
  LogLine,
  ShimConfig,
  ShimReport,
  ShimRequest,
  ShimResponse,
  StreamEnd,
} from "@teu/shim/protocol";

/** The shim under test. */
export const SHIM: string = process.env["SHIM"] ?? new URL("../../bin/teu-shim", import.meta.url).pathname;
/** The runtime that it runs. */
export const RUNTIME: string = process.env["RUNTIME"] ?? "/usr/sbin/runc";

/** Why these tests cannot run here; undefined when they can. For node:test's `skip`. */
export const UNABLE: string | undefined =
  process.getuid?.() !== 0
    ? "needs root"
    : !existsSync(SHIM)
      ? `no shim at ${SHIM}`
      : !existsSync(RUNTIME)
        ? `no runtime at ${RUNTIME}`
        : undefined;

interface Spec {
  process: { terminal: boolean; args: string[]; env: string[]; cwd: string; [more: string]: unknown };
  root: { path: string; readonly: boolean };
  linux: {
    namespaces: { type: string; path?: string }[];
    resources?: unknown;
    cgroupsPath?: string;
    [more: string]: unknown;
  };
  [more: string]: unknown;
}

/** How one container differs from the plain one. */
export interface ContainerOptions {
  readonly args?: readonly string[];
  readonly shim?: Partial<ShimConfig>;
  readonly spec?: (spec: Spec) => void;
}

/** Directories, a base layer, maybe a network namespace; dispose removes all of it. */
export class Host implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), "teu-shim-"));
  readonly base: string = join(this.dir, "base");
  readonly runRoot: string = join(this.dir, "run");
  readonly runtimeRoot: string = join(this.dir, "run/runtime");
  /** Parent cgroup of this host's containers: other test runs have theirs. */
  readonly cgroup: string = basename(this.dir);
  readonly #containers: ShimContainer[] = [];
  #namespace: ChildProcess | undefined;
  #count = 0;

  constructor() {
    for (const name of ["bin", "proc", "sys", "dev", "tmp", "etc"])
      mkdirSync(join(this.base, name), { recursive: true });
    mkdirSync(this.runRoot);
    cpSync("/bin/busybox", join(this.base, "bin/busybox"));
    run("/bin/busybox", ["--install", "-s", join(this.base, "bin")]);
    for (const name of readdirSync(join(this.base, "bin"))) {
      if (name !== "busybox") spawnSync("ln", ["-sfn", "busybox", join(this.base, "bin", name)]);
      if (name === "sh") break;
    }
    for (const name of [
      "sh",
      "sleep",
      "cat",
      "echo",
      "true",
      "false",
      "ip",
      "nc",
      "wget",
      "ls",
      "yes",
      "head",
      "stty",
      "dd",
      "id",
      "kill",
      "httpd",
      "ping",
      "seq",
      "hostname",
      "setsid",
      "tail",
      "grep",
      "tty",
      "mkdir",
      "mount",
    ]) {
      spawnSync("ln", ["-sfn", "busybox", join(this.base, "bin", name)]);
    }
  }

  /** A network namespace of this host's own, with a "world" side to reach it from. */
  isolateNetwork(): string {
    this.#namespace ??= spawn("unshare", ["-n", "sh", "-c", "ip link set lo up && exec sleep 1000"], {
      stdio: "ignore",
    });
    const path = `/proc/${this.#namespace.pid}/ns/net`;
    const own = readlinkSync("/proc/self/ns/net");
    for (let i = 0; i < 200 && readlinkSync(path) === own; i++) spawnSync("sleep", ["0.01"]);
    return path;
  }

  /** Runs a command in this host's network. */
  inNetwork(command: string, args: readonly string[]): { status: number | null; output: string } {
    const enter = this.#namespace === undefined ? [] : ["nsenter", `--net=/proc/${this.#namespace.pid}/ns/net`];
    const [first = command, ...rest] = [...enter, command, ...args];
    const result = spawnSync(first, rest, { encoding: "utf8", timeout: 20_000 });
    return { status: result.status, output: `${result.stdout}${result.stderr}` };
  }

  /** Writes bundle and shim.json of a new container. */
  container(options: ContainerOptions = {}): ShimContainer {
    const id = `${(this.#count++).toString(16).padStart(4, "0")}${randomHex(60)}`;
    const made = new ShimContainer(this, id, options);
    this.#containers.push(made);
    return made;
  }

  /** The network namespace to start shims in. */
  get networkPath(): string | undefined {
    return this.#namespace === undefined ? undefined : `/proc/${this.#namespace.pid}/ns/net`;
  }

  /** Runs the shim's --cleanup. */
  cleanUp(container: ShimContainer): { status: number | null; output: string } {
    return this.inNetwork(SHIM, ["--config", container.configFile, "--cleanup"]);
  }

  /** Everything of ours that is still there: to be compared with nothing. */
  leftovers(): string[] {
    const found: string[] = [];
    for (const container of this.#containers) found.push(...container.leftovers());
    const links = this.inNetwork("ip", ["-o", "link"])
      .output.split("\n")
      .filter((line) => /veth[0-9a-f]{11}|teut/.test(line));
    const tables = this.inNetwork("nft", ["list", "tables"])
      .output.split("\n")
      .filter((line) => line.includes("teu_teut"));
    const mounts = readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .filter((line) => line.includes(this.dir));
    return [...found, ...links, ...tables, ...mounts];
  }

  [Symbol.dispose](): void {
    for (const container of this.#containers) container[Symbol.dispose]();
    this.#namespace?.kill("SIGKILL");
    for (const controller of readdirSync("/sys/fs/cgroup"))
      spawnSync("rmdir", [join("/sys/fs/cgroup", controller, this.cgroup)]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** One container and its shim, from outside. */
export class ShimContainer implements Disposable {
  readonly host: Host;
  readonly id: string;
  readonly config: ShimConfig;
  readonly root: string;
  readonly configFile: string;
  shimPid = 0;

  constructor(host: Host, id: string, options: ContainerOptions) {
    this.host = host;
    this.id = id;
    this.root = join(host.dir, "c", id.slice(0, 8));
    const runDir = join(host.runRoot, "containers", id);
    const bundle = join(this.root, "bundle");
    for (const dir of [join(bundle, "rootfs"), runDir, join(this.root, "upper"), join(this.root, "work")])
      mkdirSync(dir, { recursive: true });
    this.config = {
      version: 1,
      id,
      bundle,
      runDir,
      runRoot: host.runRoot,
      runtime: { path: RUNTIME, root: host.runtimeRoot, args: [] },
      rootfs: { kind: "overlay", lower: [host.base], upper: join(this.root, "upper"), work: join(this.root, "work") },
      network: { mode: "none" },
      terminal: false,
      stdin: false,
      stdinOnce: false,
      log: { path: join(this.root, "container.log"), maxSize: 0, maxFiles: 1 },
      exitFile: join(this.root, "exit.json"),
      startTimeoutMs: 30_000,
      ...options.shim,
    };
    this.configFile = join(runDir, "shim.json");
    writeFileSync(this.configFile, JSON.stringify(this.config));
    writeFileSync(join(bundle, "config.json"), JSON.stringify(this.#spec(options)));
  }

  /** Starts the shim; the report. */
  async create(): Promise<ShimReport> {
    const enter = this.host.networkPath === undefined ? [] : ["nsenter", `--net=${this.host.networkPath}`];
    const [command, ...args] = [...enter, SHIM, "--config", this.configFile];
    const child = spawn(command, args, {
      stdio: ["ignore", "ignore", "pipe", "pipe"],
      env: { ...process.env, TMPDIR: this.host.dir },
    });
    const [line, stderr] = await Promise.all([
      readAll(child.stdio[3] as NodeJS.ReadableStream),
      readAll(child.stderr as NodeJS.ReadableStream),
    ]);
    if (line === "") throw new Error(`no report: ${stderr}`);
    const report = JSON.parse(line) as ShimReport;
    if (report.ok) this.shimPid = report.shimPid;
    return report;
  }

  /** `create` that must work. */
  async created(): Promise<this> {
    const report = await this.create();
    if (!report.ok) throw new Error(JSON.stringify(report.error));
    return this;
  }

  /** Asks; the answer, or undefined when the connection ended without one. */
  async ask(request: ShimRequest | string): Promise<ShimResponse> {
    const session = new Session(this.socketPath);
    await session.send(typeof request === "string" ? request : `${JSON.stringify(request)}\n`);
    const answer = await session.answer();
    session.socket.destroy();
    return answer;
  }

  /** Opens streams. */
  async stream(request: ShimRequest): Promise<Session> {
    const session = new Session(this.socketPath);
    await session.send(`${JSON.stringify(request)}\n`);
    const answer = await session.answer();
    if (!answer.ok) throw new Error(JSON.stringify(answer.error));
    return session;
  }

  /** Starts and waits; how it ended. */
  async run(): Promise<ExitRecord> {
    const wait = this.ask({ op: "wait" });
    const start = await this.ask({ op: "start" });
    if (!start.ok) throw new Error(JSON.stringify(start.error));
    const end = await wait;
    if (!end.ok || end.exit === undefined) throw new Error(JSON.stringify(end));
    return end.exit;
  }

  get socketPath(): string {
    return join(this.config.runDir, "shim.sock");
  }

  log(): LogLine[] {
    const text = readFileSync((this.config.log ?? { path: "" }).path, "utf8");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** What was written to one stream, from the log. */
  logText(stream: "stdout" | "stderr" = "stdout"): string {
    return this.log()
      .filter((line) => line.stream === stream)
      .map((line) => line.log)
      .join("");
  }

  shimLog(): string {
    const path = join(this.config.runDir, "shim.log");
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  exitFile(): ExitRecord {
    return JSON.parse(readFileSync(this.config.exitFile, "utf8")) as ExitRecord;
  }

  /** Waits until the shim's process is gone, its descriptors and locks included (a zombie has none any more). */
  async gone(milliseconds = 20_000): Promise<void> {
    for (let left = milliseconds; isAlive(this.shimPid); left -= 10) {
      if (left <= 0) throw new Error(`shim ${this.shimPid} lives on`);
      await sleep(10);
    }
  }

  /** Waits a moment for the last steps of a shim that has reported; throws when anything is left. */
  async settled(): Promise<void> {
    let left = this.leftovers();
    for (let i = 0; i < 200 && left.length > 0; i++) {
      await sleep(10);
      left = this.leftovers();
    }
    if (left.length > 0) throw new Error(`left over: ${left.join(", ")}`);
  }

  /** Processes, cgroups, runtime state and sockets of this container. */
  leftovers(): string[] {
    const found: string[] = [];
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        // A killed shim's container is left to the machine's init, which may take its time to reap.
        if (/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))) continue;
        if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(this.id)) found.push(`process ${pid}`);
        if (readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(this.id)) found.push(`process ${pid} in its cgroup`);
      } catch {
        // ended meanwhile
      }
    }
    for (const controller of readdirSync("/sys/fs/cgroup")) {
      if (existsSync(join("/sys/fs/cgroup", controller, this.host.cgroup, this.id))) found.push(`cgroup ${controller}`);
    }
    if (existsSync(join(this.host.runtimeRoot, this.id))) found.push("runtime state");
    for (const name of readdirSync(this.config.runDir))
      if (!/^shim\.(json|lock|log)$|^state\.json$/.test(name)) found.push(name);
    return found;
  }

  [Symbol.dispose](): void {
    if (this.leftovers().length === 0) return;
    if (this.shimPid > 0) spawnSync("kill", ["-9", String(this.shimPid)]);
    spawnSync(RUNTIME, ["--root", this.host.runtimeRoot, "delete", "--force", this.id]);
  }

  #spec(options: ContainerOptions): Spec {
    const spec = JSON.parse(specText()) as Spec;
    spec.process.terminal = this.config.terminal;
    spec.process.args = [...(options.args ?? ["true"])];
    delete spec.process["rlimits"];
    spec.root = { path: "rootfs", readonly: false };
    spec.linux.cgroupsPath = `/${this.host.cgroup}/${this.id}`;
    if (this.config.network.mode === "host")
      spec.linux.namespaces = spec.linux.namespaces.filter((namespace) => namespace.type !== "network");
    options.spec?.(spec);
    return spec;
  }
}

/** A connection to a shim. */
export class Session {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  #wake: () => void = () => {};
  #ended = false;
  stdout = "";
  stderr = "";

  constructor(path: string) {
    // The path may be longer than sockaddr_un takes; one through the directory's descriptor never is.
    const directory = openSync(dirname(path), "r");
    this.socket = connect({ path: `/proc/self/fd/${directory}/${basename(path)}`, allowHalfOpen: true });
    let open = true;
    const close = (): void => {
      if (open) closeSync(directory);
      open = false;
    };
    this.socket.once("connect", close).once("error", close).once("close", close);
    this.socket.on("data", (data) => {
      this.#chunks.push(data);
      this.#wake();
    });
    for (const event of ["end", "close", "error"]) {
      this.socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(data, () => resolve()));
  }

  frame(type: number, payload: string | Uint8Array): Promise<void> {
    const body = Buffer.from(payload as string);
    const head = Buffer.alloc(8);
    head[0] = type;
    head.writeUInt32BE(body.length, 4);
    return this.send(Buffer.concat([head, body]));
  }

  async answer(): Promise<ShimResponse> {
    let line = await this.#take((data) => data.indexOf(10) + 1);
    if (line.length === 0) line = Buffer.from('{"ok":false,"error":"no answer"}');
    return JSON.parse(line.toString()) as ShimResponse;
  }

  /** Reads one frame; undefined at the end of the connection. */
  async next(): Promise<{ type: number; payload: Buffer } | undefined> {
    const frame = await this.#take((data) =>
      data.length < 8 || data.length < 8 + data.readUInt32BE(4) ? 0 : 8 + data.readUInt32BE(4),
    );
    return frame.length === 0 ? undefined : { type: frame[0] ?? 0, payload: frame.subarray(8) };
  }

  /** Reads until stdout holds `text`. */
  async until(text: string): Promise<void> {
    while (!this.stdout.includes(text)) {
      const frame = await this.next();
      if (frame === undefined) throw new Error(`ended before ${JSON.stringify(text)}: ${this.stdout}`);
      this.#keep(frame);
    }
  }

  /** Reads to the end frame. */
  async end(): Promise<StreamEnd> {
    for (;;) {
      const frame = await this.next();
      if (frame === undefined) throw new Error(`no end frame after ${JSON.stringify(this.stdout)}`);
      if (frame.type === 3) return JSON.parse(frame.payload.toString()) as StreamEnd;
      this.#keep(frame);
    }
  }

  #keep(frame: { type: number; payload: Buffer }): void {
    if (frame.type === 1) this.stdout += frame.payload.toString();
    if (frame.type === 2) this.stderr += frame.payload.toString();
  }

  async #take(size: (data: Buffer) => number): Promise<Buffer> {
    for (;;) {
      const all = Buffer.concat(this.#chunks);
      const count = size(all);
      this.#chunks.length = 0;
      if (all.length > count) this.#chunks.push(all.subarray(count));
      if (count > 0) return all.subarray(0, count);
      if (this.#ended) return Buffer.alloc(0);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Waits. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function run(command: string, args: readonly string[]): string {
  const result = spawnSync(command, args, { encoding: "utf8" });
  return `${result.stdout}${result.stderr}`;
}

let cachedSpec: string | undefined;
function specText(): string {
  if (cachedSpec === undefined) {
    const dir = mkdtempSync(join(tmpdir(), "teu-spec-"));
    run("/usr/sbin/runc", ["spec", "--bundle", dir]);
    cachedSpec = readFileSync(join(dir, "config.json"), "utf8");
    rmSync(dir, { recursive: true });
  }
  return cachedSpec;
}

function randomHex(count: number): string {
  return Array.from({ length: count }, () => Math.floor(Math.random() * 16).toString(16)).join("");
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}
