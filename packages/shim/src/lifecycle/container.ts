// One container's life under the shim: made, started, ended, torn down; who may ask what when. Everything it did to the host lies
// on one undo stack, run by a failed start and by a normal end alike.
// portable: no host types here.

import { TeuError, errorText } from "@teu/base/errors";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDWR, O_RDONLY } from "@teu/sys/constants/fs";
import { SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { ShimLog } from "../daemon/shim-log.ts";
import { toTeuError } from "../daemon/report.ts";
import { ContainerLog } from "../log/container-log.ts";
import type { EventLoop, Timer } from "../loop/event-loop.ts";
import { runTask, suspend } from "../loop/task.ts";
import type { Task } from "../loop/task.ts";
import { UndoStack } from "../loop/undo-stack.ts";
import { PortReservation } from "../network/reserve-ports.ts";
import { setUpNetwork } from "../network/set-up-network.ts";
import { isNamespaceInit, readProc } from "../process/process-facts.ts";
import type { Reaper } from "../process/reaper.ts";
import type { ProgramHost } from "../process/run-program.ts";
import { timestamp } from "../process/timestamp.ts";
import { SHIM_PROTOCOL_VERSION } from "../protocol.ts";
import type { ExitRecord, ShimConfig, ShimState } from "../protocol.ts";
import { enterMountNamespace, mountRootfs, unmountRootfs } from "../rootfs/mount-rootfs.ts";
import { type ProcessEnds, RuntimeClient } from "../runtime/runtime-client.ts";
import { Attachments } from "../server/attachments.ts";
import { ProcessIo } from "../stdio/process-io.ts";
import type { ProcessIoOptions } from "../stdio/process-io.ts";
import { exitRecord } from "./container-end.ts";
import type { EndCause } from "./container-end.ts";
import { removeFile, writeJsonFile } from "./durable-file.ts";
import { writeExitFile } from "./exit-file.ts";
import { keepCgroupParent, removeEmptyCgroupParent } from "./cgroup-parent.ts";
import { removeLeftoverCgroups } from "./leftover-cgroups.ts";
import { findOomFile, wasOomKilled } from "./oom-counter.ts";

type Phase = "creating" | "created" | "running" | "paused" | "stopped";

/** What a container lives on. */
export interface ContainerOptions {
  readonly kernel: Kernel;
  readonly loop: EventLoop;
  readonly reaper: Reaper;
  readonly config: ShimConfig;
}

/** The container. */
export class Container {
  readonly kernel: Kernel;
  readonly loop: EventLoop;
  readonly reaper: Reaper;
  readonly config: ShimConfig;
  readonly log: ShimLog;
  readonly runtime: RuntimeClient;
  readonly attachments: Attachments;
  /** What runs programs for this container. */
  readonly host: ProgramHost;
  /** The run directory. */
  readonly runDirFd: number;
  readonly #undo = new UndoStack();
  readonly #waiters = new Set<(exit: ExitRecord) => void>();
  readonly #ended: () => void;
  #phase: Phase = "creating";
  #changing = false;
  #calls = 0;
  #onIdle: (() => void) | undefined;
  #io: ProcessIo | undefined;
  #containerLog: ContainerLog | undefined;
  #pid = 0;
  #ownPids = true;
  #oomFile: string | undefined;
  #startedAt: string | null = null;
  #exit: ExitRecord | null = null;
  #cause: EndCause | undefined;
  #startTimer: Timer | undefined;
  #startFailure: TeuError | undefined;

  /** `ended` is called once, when everything is torn down and everybody who waits has been told. */
  constructor(options: ContainerOptions, ended: () => void) {
    const { kernel, loop, reaper, config } = options;
    this.kernel = kernel;
    this.loop = loop;
    this.reaper = reaper;
    this.config = config;
    this.#ended = ended;
    this.log = new ShimLog(kernel, `${config.runDir}/shim.log`);
    this.host = { kernel, loop, reaper, nullFd: kernel.fs.openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0) };
    this.runDirFd = kernel.fs.openat(AT_FDCWD, config.runDir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    this.runtime = new RuntimeClient({ ...this.host, config });
    this.attachments = new Attachments(kernel, { pause: () => this.#io?.pause(), resume: () => this.#io?.resume() });
  }

  /** Makes the container up to "created", `listen` last; returns init's pid. @throws TeuError; everything is undone then. */
  *create(listen: () => void): Task<number> {
    try {
      yield* this.#create();
      listen();
      if (this.#cause?.kind === "ended") {
        throw new TeuError({
          code: "internal",
          op: "create container",
          message: `init ended with ${this.#cause.ending.code} before it was started`,
        });
      }
    } catch (error) {
      const failures = yield* this.#undo.run();
      for (const failure of failures) this.log.warn(failure);
      throw toTeuError(error, "create container");
    }
    this.#phase = "created";
    this.#writeState();
    this.#startTimer = this.loop.after(this.config.startTimeoutMs, () => {
      const message = `no start within ${this.config.startTimeoutMs} ms`;
      this.#end({
        kind: "failed",
        error: new TeuError({ code: "timeout", op: "start container", message }),
        at: this.kernel.host.realtimeNs(),
      });
    });
    return this.#pid;
  }

  /** @throws TeuError `conflict` when not "created"; what the runtime said when it fails: then the container has ended. */
  *start(): Task<void> {
    using _change = this.#change("start container", ["created"]);
    this.#startTimer?.cancel();
    const at = this.kernel.host.realtimeNs();
    // Before the process runs: no line of its log may be older than its start.
    this.#startedAt = timestamp(at);
    yield* this.#counted(this.#runStart());
    if (this.#startFailure === undefined) return;
    yield* this.waitEnd();
    throw this.#startFailure;
  }

  /** @throws TeuError `not-found` when stopped. */
  *signal(signal: number, all: boolean): Task<void> {
    this.#require("signal container", ["created", "running", "paused"], "not-found");
    yield* this.#counted(this.runtime.kill(signal, all));
  }

  *pause(): Task<void> {
    using _change = this.#change("pause container", ["running"]);
    yield* this.#counted(this.runtime.pause());
    this.#phase = "paused";
    this.#writeState();
  }

  *resume(): Task<void> {
    using _change = this.#change("resume container", ["paused"]);
    yield* this.#counted(this.runtime.resume());
    this.#phase = "running";
    this.#writeState();
  }

  /** @throws TeuError `conflict` when there is no terminal. */
  resize(rows: number, columns: number): void {
    if (this.#io?.resize(rows, columns) === true) return;
    throw new TeuError({ code: "conflict", op: "resize terminal", message: "the container has no open terminal" });
  }

  /** Streams of init; undefined before "created" and after the end. */
  get io(): ProcessIo | undefined {
    return this.#io;
  }

  /** Streams for a process of this container; the caller's to close. */
  newIo(wanted: Pick<ProcessIoOptions, "terminal" | "stdin" | "stdout" | "stderr" | "consoleName">): ProcessIo {
    return new ProcessIo({ ...this.host, ...wanted, runDir: this.config.runDir, runDirFd: this.runDirFd });
  }

  /** @throws TeuError `conflict` unless the container runs. */
  requireRunning(op: string): void {
    this.#require(op, ["running"], "conflict");
  }

  /** Runs a runtime call; the container is not torn down under it. */
  *counted<T>(call: Task<T>): Task<T> {
    return yield* this.#counted(call);
  }

  /** Waits until the container has ended and is torn down. */
  waitEnd(): Task<ExitRecord> {
    return suspend((settle) => this.onEnd(settle.resolve));
  }

  /** Calls `handler` when the container has ended and is torn down; returns how to take that back. */
  onEnd(handler: (exit: ExitRecord) => void): () => void {
    if (this.#phase === "stopped" && this.#exit !== null) handler(this.#exit);
    else this.#waiters.add(handler);
    return () => void this.#waiters.delete(handler);
  }

  /** What is so now. "stopped" as soon as init is gone, with its record once that is on disk. */
  state(): ShimState {
    const stopped = this.#cause !== undefined;
    const phase = this.#phase === "creating" ? "created" : this.#phase;
    return {
      version: SHIM_PROTOCOL_VERSION,
      id: this.config.id,
      status: stopped ? "stopped" : phase,
      shimPid: this.kernel.process.getpid(),
      pid: stopped ? 0 : this.#pid,
      startedAt: this.#startedAt,
      exit: this.#exit,
    };
  }

  *#create(): Task<void> {
    const { kernel, config } = this;
    const warn = (message: string): void => this.log.warn(message);
    if (config.log !== null) this.#openLog(config.log, warn);
    const rootfs = `${config.bundle}/rootfs`;
    enterMountNamespace(kernel);
    if (mountRootfs(kernel, config.rootfs, rootfs)) {
      this.#undo.pushNow("unmount the root file system", () => unmountRootfs(kernel, rootfs));
    }
    if (config.network.mode === "bridge") {
      const ports = new PortReservation(kernel, config.network.ports);
      this.#undo.pushNow("free ports", () => ports[Symbol.dispose]());
    }
    const io = this.newIo({
      terminal: config.terminal,
      stdin: config.stdin,
      stdout: true,
      stderr: true,
      consoleName: "console.sock",
    });
    this.#undo.pushNow("close streams", () => io.close());
    this.#undo.push("remove the empty cgroup", () => removeEmptyCgroupParent(kernel, this.loop));
    this.#undo.push("delete the container", () => this.#delete());
    using _hold = this.reaper.hold();
    this.#pid = yield* this.#createWithCgroup(io);
    this.reaper.watch(this.#pid, (ending) => this.#initEnded({ kind: "ended", ending }));
    this.#ownPids = isNamespaceInit(readProc(kernel, this.#pid, "status"));
    this.#oomFile = findOomFile(kernel, this.#pid);
    yield* io.connect((name, data) => {
      this.#containerLog?.write(name, data);
      this.attachments.output(name, data);
    });
    this.#io = io;
    yield* setUpNetwork(
      { ...this.host, id: config.id, runRoot: config.runRoot },
      config.network,
      this.#pid,
      this.#undo,
    );
  }

  *#createWithCgroup(io: ProcessEnds): Task<number> {
    using _kept = yield* keepCgroupParent(this.kernel, this.loop);
    return yield* this.runtime.create(io);
  }

  #openLog(options: NonNullable<ShimConfig["log"]>, warn: (message: string) => void): void {
    const before = this.kernel.fs.accessAt(AT_FDCWD, options.path, 0);
    const log = new ContainerLog(this.kernel, options, warn);
    this.#containerLog = log;
    this.#undo.pushNow("close the log", () => {
      log.close();
      // A container that never was leaves no log either.
      if (!before && log.size === 0 && this.#phase === "creating") removeFile(this.kernel, options.path);
    });
  }

  // Never throws: what it finds must be known before a waiting end goes on.
  *#runStart(): Task<void> {
    try {
      yield* this.runtime.start();
      this.#phase = "running";
      if (this.#cause === undefined) this.#writeState();
    } catch (error) {
      this.#startedAt = null;
      this.#startFailure = toTeuError(error, "start container");
      this.#end({ kind: "failed", error: this.#startFailure, at: this.kernel.host.realtimeNs() });
    }
  }

  *#delete(): Task<void> {
    removeFile(this.kernel, `${this.config.runDir}/init.pid`);
    if (this.#cause?.kind === "ended") {
      try {
        yield* this.runtime.delete(false);
        return;
      } catch (error) {
        this.log.warn(`trying again by force: ${errorText(error)}`);
      }
    }
    yield* this.runtime.delete(true);
    yield* removeLeftoverCgroups(this.kernel, this.loop, this.config.bundle, this.config.id);
  }

  #initEnded(cause: EndCause): void {
    if (this.#phase === "creating") this.#cause = cause;
    else this.#end(cause);
  }

  // The one way into the end; only the first cause counts.
  #end(cause: EndCause): void {
    if (this.#cause !== undefined) return;
    this.#cause = cause;
    this.#startTimer?.cancel();
    runTask(this.#finish(cause), this.#ended, (error) => {
      this.log.warn(`while ending: ${errorText(error)}`);
      this.#ended();
    });
  }

  *#finish(first: EndCause): Task<void> {
    if (this.#calls > 0) yield* suspend<void>((settle) => (this.#onIdle = () => settle.resolve(undefined)));
    // Init may end while the runtime still finds out why: its reason is the better one.
    const failure = this.#startFailure;
    const cause: EndCause =
      failure === undefined ? first : { kind: "failed", error: failure, at: this.kernel.host.realtimeNs() };
    const oomKilled = wasOomKilled(this.kernel, this.#oomFile);
    if (cause.kind === "failed") yield* this.#quietly(this.runtime.delete(true));
    else if (!this.#ownPids) yield* this.#quietly(this.runtime.kill(SIGKILL, true));
    yield* this.#io?.drain() ?? none();
    this.#containerLog?.finish();
    const record = exitRecord(cause, this.#startedAt, oomKilled);
    this.#record(record);
    this.attachments.end({ code: record.code, ...(record.error === null ? {} : { error: record.error }) });
    const failures = yield* this.#undo.run();
    for (const failure of failures) this.log.warn(failure);
    if (failures.length > 0)
      this.#record({ ...record, error: [record.error, ...failures].filter((text) => text !== null).join("; ") });
    this.#phase = "stopped";
    this.#writeState();
    const exit = this.#exit ?? record;
    for (const waiter of this.#waiters) waiter(exit);
    this.#waiters.clear();
  }

  // The disk may refuse; those who wait are told all the same.
  #record(record: ExitRecord): void {
    this.#exit = record;
    try {
      const refused = writeExitFile(this.kernel, this.config, record);
      if (refused !== undefined) this.log.warn(`the exit record is in RUNROOT: ${errorText(refused)}`);
    } catch (error) {
      this.log.warn(`cannot write the exit record: ${errorText(error)}`);
    }
  }

  #writeState(): void {
    try {
      writeJsonFile(this.kernel, `${this.config.runDir}/state.json`, this.state(), false);
    } catch (error) {
      this.log.warn(`cannot write the state: ${errorText(error)}`);
    }
  }

  *#quietly(call: Task<void>): Task<void> {
    try {
      yield* call;
    } catch (error) {
      if (!(error instanceof TeuError) || error.code !== "not-found") this.log.warn(errorText(error));
    }
  }

  *#counted<T>(call: Task<T>): Task<T> {
    this.#calls++;
    try {
      return yield* call;
    } finally {
      this.#calls--;
      if (this.#calls === 0) this.#onIdle?.();
    }
  }

  #require(op: string, phases: readonly Phase[], code: "conflict" | "not-found"): void {
    const { status } = this.state();
    if (phases.some((phase) => phase === status)) return;
    throw new TeuError({
      code,
      op,
      subject: this.config.id.slice(0, 12),
      message: `it is ${status}`,
      detail: { status },
    });
  }

  #change(op: string, phases: readonly Phase[]): Disposable {
    this.#require(op, phases, "conflict");
    if (this.#changing)
      throw new TeuError({
        code: "conflict",
        op,
        subject: this.config.id.slice(0, 12),
        message: "another change is under way",
      });
    this.#changing = true;
    return { [Symbol.dispose]: () => void (this.#changing = false) };
  }
}

// oxlint-disable-next-line require-yield -- a task with nothing to wait for
function* none(): Task<void> {}
