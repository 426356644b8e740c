// teu-shim from its arguments to its end.
// portable: no host types here.

import { TeuError, errorText } from "@teu/base/errors";
import { AT_FDCWD } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { parseArguments, USAGE } from "./config/parse-arguments.ts";
import type { ShimCommand } from "./config/parse-arguments.ts";
import { CONFIG_LIMIT, parseConfig } from "./config/parse-config.ts";
import { daemonize } from "./daemon/daemonize.ts";
import { errorJson, Reporter, toTeuError } from "./daemon/report.ts";
import { takeShimLock } from "./daemon/shim-lock.ts";
import { ShimLog } from "./daemon/shim-log.ts";
import { cleanUp } from "./lifecycle/clean-up.ts";
import { Container } from "./lifecycle/container.ts";
import type { ContainerOptions } from "./lifecycle/container.ts";
import { EventLoop } from "./loop/event-loop.ts";
import { runTask } from "./loop/task.ts";
import { Reaper } from "./process/reaper.ts";
import { SHIM_PROTOCOL_VERSION } from "./protocol.ts";
import type { ShimConfig } from "./protocol.ts";
import { mountImage, unmountImage } from "./rootfs/image-mount.ts";
import { answerRequest } from "./server/answer-request.ts";
import { Server } from "./server/server.ts";

const VERSION = "0.1.0";

// Clients that do not take their last answers must not keep the shim alive.
const LAST_ANSWERS_MS = 15_000;

/** Runs the program; returns the exit code. In the run mode it returns only in the daemon, at its very end. */
export function runShim(kernel: Kernel, args: readonly string[]): number {
  const { host } = kernel;
  let reporter: Reporter | undefined;
  try {
    const command = parseArguments(args);
    if (command.kind === "version") host.print(`teu-shim version ${VERSION}\nprotocol: ${SHIM_PROTOCOL_VERSION}`);
    if (command.kind === "help") host.print(USAGE);
    if (command.kind === "version" || command.kind === "help") return 0;
    if (command.kind === "mount" || command.kind === "unmount") return runMount(kernel, command);
    if (command.kind === "cleanup") return runCleanUp(kernel, readConfig(kernel, command.config));
    reporter = new Reporter(kernel);
    return runDaemon(kernel, readConfig(kernel, command.config), reporter);
  } catch (error) {
    const failure = toTeuError(error, "start shim");
    const hint = failure.hint === undefined ? "" : `\n${failure.hint}`;
    host.printError(`teu-shim: ${failure.message}${hint}`);
    reporter?.fail(failure, "start shim");
    return 1;
  }
}

// In the foreground; a failure is one line of JSON on stderr.
function runMount(kernel: Kernel, command: Extract<ShimCommand, { kind: "mount" | "unmount" }>): number {
  try {
    if (command.kind === "unmount") unmountImage(kernel, command.path, command.force);
    else mountImage(kernel, kernel.fs.readTextAt(AT_FDCWD, command.file, CONFIG_LIMIT));
    return 0;
  } catch (error) {
    kernel.host.printError(JSON.stringify(errorJson(error, `${command.kind} image`)));
    return 1;
  }
}

function readConfig(kernel: Kernel, path: string): ShimConfig {
  try {
    return parseConfig(kernel.fs.readTextAt(AT_FDCWD, path, CONFIG_LIMIT));
  } catch (error) {
    const { code, message } = toTeuError(error, "read shim.json");
    throw new TeuError({ code, op: "read configuration", subject: path, message });
  }
}

function runDaemon(kernel: Kernel, config: ShimConfig, reporter: Reporter): number {
  daemonize(kernel);
  try {
    takeShimLock(kernel, config.runDir);
    const loop = new EventLoop(kernel);
    const reaper = new Reaper(kernel, loop);
    const life = { over: false };
    startContainer({ kernel, loop, reaper, config }, reporter, () => (life.over = true));
    loop.run(() => life.over);
    return 0;
  } catch (error) {
    new ShimLog(kernel, `${config.runDir}/shim.log`).warn(`the shim ends: ${errorText(error)}`);
    reporter.fail(error, "start shim");
    return 1;
  }
}

// Begins the container's life on the loop; `done` is called at its end.
function startContainer(options: ContainerOptions, reporter: Reporter, done: () => void): void {
  const { kernel, loop, config } = options;
  let server: Server | undefined;
  const finish = (): void => {
    loop.after(LAST_ANSWERS_MS, done);
    if (server === undefined) done();
    else server.close(done);
  };
  const container = new Container(options, finish);
  const listen = (): void => {
    server = new Server(kernel, loop, {
      runDir: config.runDir,
      runDirFd: container.runDirFd,
      request: (client, request) => answerRequest(container, client, request),
    });
  };
  runTask(
    container.create(listen),
    (pid) => reporter.send({ ok: true, shimPid: kernel.process.getpid(), pid }),
    (error) => {
      reporter.fail(error, "create container");
      finish();
    },
  );
}

function runCleanUp(kernel: Kernel, config: ShimConfig): number {
  const lock = takeShimLock(kernel, config.runDir);
  const loop = new EventLoop(kernel);
  const reaper = new Reaper(kernel, loop);
  const result: { failures?: readonly string[] } = {};
  const fail = (error: unknown): void => void (result.failures = [errorText(error)]);
  runTask(cleanUp({ kernel, loop, reaper, config }), (failures) => void (result.failures = failures), fail);
  loop.run(() => result.failures !== undefined);
  kernel.fs.close(lock);
  for (const failure of result.failures ?? []) kernel.host.printError(`teu-shim: ${failure}`);
  return result.failures?.length === 0 ? 0 : 1;
}
