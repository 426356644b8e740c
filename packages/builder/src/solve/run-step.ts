// RUN: a command in a container over the layers so far; what it changed becomes a layer.

import { TeuError } from "@teu/base/errors";
import { cleanupScope, REMOVAL_PATIENCE, type Scope } from "@teu/base/scope";
import type { CreateOptions } from "@teu/engine/containers/create-options";
import type { Layer } from "@teu/engine/snapshots/snapshots";
import { randomHex } from "@teu/files/random";
import type { RunInstruction } from "../dockerfile/instructions/instruction.ts";
import { buildError } from "../dockerfile/location.ts";
import { parseRunMount } from "../graph/run-mount.ts";
import type { StepReport } from "../progress/build-event.ts";
import { cleanStubs, STANDARD_MOUNT_POINTS } from "./clean-stubs.ts";
import { layerStep } from "./layer-step.ts";
import { awaitSources } from "./layer-trees.ts";
import { OutputTail } from "./output-tail.ts";
import { type RunCommand, runCommand } from "./run-command.ts";
import { makeMounts, mountKeys, planMounts, type PlannedMount, scriptMount } from "./run-mounts.ts";
import { type BuildSession, stepKey } from "./session.ts";
import { DEFAULT_SHELL, runEnvironment, type StageState } from "./stage-state.ts";

/** Set in a step's environment, when given, without being declared; never part of its key. */
const PROXY_ARGUMENTS = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [
  name,
  name.toLowerCase(),
]);

/** Runs one RUN of stage `index`. */
export async function runStep(
  scope: Scope,
  session: BuildSession,
  index: number,
  state: StageState,
  instruction: RunInstruction,
  name: string,
): Promise<StageState> {
  using open = new DisposableStack();
  const sources = instruction.mounts
    .map((mount) => parseRunMount(mount, instruction.at).from)
    .filter((from) => from !== undefined);
  await awaitSources(session, index, sources, instruction.at);
  return await layerStep(scope, session, state, name, async (report) => {
    const command = runCommand(instruction, state.config.Shell ?? DEFAULT_SHELL);
    const network = stepNetwork(session, instruction);
    const mounts = await planMounts(scope, session, index, state, instruction, open, report);
    const env = runEnvironment(state);
    const { WorkingDir = "/", User = "" } = state.config;
    return {
      key: stepKey({
        op: "run",
        parent: state.chainId,
        args: command.args,
        script: command.script,
        env,
        WorkingDir,
        User,
        network,
        mounts: mountKeys(mounts),
      }),
      createdBy: describe(state, command),
      make: async () => await execute(scope, session, state, { instruction, command, network, mounts, env }, report),
    };
  });
}

interface Execution {
  readonly instruction: RunInstruction;
  readonly command: RunCommand;
  readonly network: "bridge" | "none" | "host";
  readonly mounts: readonly PlannedMount[];
  readonly env: readonly string[];
}

async function execute(
  scope: Scope,
  session: BuildSession,
  state: StageState,
  step: Execution,
  report: StepReport,
): Promise<Layer> {
  await using held = new AsyncDisposableStack();
  const volumes = [...(await makeMounts(scope, session, step.mounts, held))];
  if (step.command.script !== null) volumes.push(await scriptMount(session, step.command.script));
  const { containers } = session.engine;
  const { id } = await containers.create(scope, createOptions(session, state, step, volumes));
  // On every way out, also after a commit, which takes only the container's files away.
  held.defer(
    async () => await containers.remove(cleanupScope(scope, REMOVAL_PATIENCE), id, { force: true, volumes: true }),
  );
  await runToEnd(scope, session, step, id, report);
  const workspace = await session.lease.snapshots.workspace(scope, id);
  if (workspace === null)
    throw new TeuError({ code: "internal", op: "commit step", subject: id, message: "its files are gone" });
  cleanStubs(workspace.upper, workspace.lower, [...STANDARD_MOUNT_POINTS, ...volumes.map(({ target }) => target)]);
  return await session.lease.snapshots.commit(scope, id);
}

function createOptions(
  session: BuildSession,
  state: StageState,
  step: Execution,
  volumes: CreateOptions["volumes"],
): CreateOptions {
  const proxies = PROXY_ARGUMENTS.flatMap((name) =>
    Object.hasOwn(session.buildArgs, name) && !state.args.has(name) ? [`${name}=${session.buildArgs[name] ?? ""}`] : [],
  );
  const { WorkingDir, User } = state.config;
  const config = {
    ...state.platform,
    // Volumes are left out on purpose: what a step writes below one belongs to the image.
    config: {
      Env: [...step.env, ...proxies],
      ...(WorkingDir === undefined ? {} : { WorkingDir }),
      ...(User === undefined ? {} : { User }),
    },
    rootfs: { type: "layers" as const, diff_ids: [] },
  };
  return {
    image: { chainId: state.chainId, config },
    name: `build-${session.id}-${randomHex(4)}`,
    entrypoint: [],
    command: step.command.args,
    hostname: "build",
    owned: true,
    network: step.network,
    labels: { "teu.build": session.id },
    log: { driver: "none" },
    ...(volumes === undefined || volumes.length === 0 ? {} : { volumes }),
    ...(session.options.addHosts === undefined ? {} : { addHost: session.options.addHosts }),
  };
}

async function runToEnd(
  scope: Scope,
  session: BuildSession,
  { instruction, command }: Execution,
  id: string,
  report: StepReport,
): Promise<void> {
  const { containers } = session.engine;
  const tail = new OutputTail();
  const exit = await (async () => {
    await using streams = await containers.start(scope, id, { attach: { stdout: true, stderr: true } });
    using _kill = killOnAbort(scope, session, id);
    for await (const { stream, data } of streams.output) {
      report.output(stream, data);
      tail.add(data);
    }
    return await containers.wait(scope, id);
  })();
  scope.check("build");
  if (exit.code === 0 && exit.error === null) return;
  const why = exit.error ?? `exit code ${exit.code}${exit.oomKilled ? " (out of memory)" : ""}`;
  const failure = buildError(instruction.at, `RUN ${shorten(command.shown)}: ${why}`);
  throw new TeuError({
    code: "invalid",
    op: failure.op,
    ...(failure.subject === undefined ? {} : { subject: failure.subject }),
    message: failure.what,
    detail: { ...failure.detail, exitCode: exit.code, tail: tail.lines() },
  });
}

/** A cancelled build does not wait for the command's own end. */
function killOnAbort(scope: Scope, session: BuildSession, id: string): Disposable {
  const kill = (): void => {
    session.engine.containers
      .kill(cleanupScope(scope), id)
      .catch((error: unknown) => scope.log.debug("kill build step", { id, error: String(error) }));
  };
  scope.signal.addEventListener("abort", kill, { once: true });
  return { [Symbol.dispose]: () => scope.signal.removeEventListener("abort", kill) };
}

function stepNetwork(session: BuildSession, instruction: RunInstruction): "bridge" | "none" | "host" {
  const given = session.options.network ?? "bridge";
  if (instruction.network === "none") return "none";
  if (instruction.network === "host" && given !== "host") {
    throw buildError(instruction.at, "RUN --network=host is not allowed in this build", {
      code: "denied",
      hint: "build with --network=host",
    });
  }
  return given;
}

function describe(state: StageState, command: RunCommand): string {
  const args = [...state.args]
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value ?? ""}`);
  return ["RUN", ...(args.length === 0 ? [] : [`|${args.length}`, ...args]), command.shown].join(" ");
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}
