// From an image's config, with what the user asked for on top, to the process of a runtime Spec (image-spec, conversion.md).
// Mounts, limits and namespaces are the engine's business.

import { TeuError } from "@teu/base/errors";
import type { ContainerConfig, ImageConfig } from "@teu/specs/image";

import { type ImageFileReader, resolveImageUser } from "./image-user.ts";

/** What the user may say instead of the image; what is absent stays the image's. */
export interface ProcessOverrides {
  /** Replaces the entrypoint, and drops the image's command, as Docker does. An empty list removes it. */
  readonly entrypoint?: readonly string[];
  /** Replaces the command. */
  readonly command?: readonly string[];
  /** "KEY=value" sets, "KEY" alone removes. */
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly terminal?: boolean;
}

/** The part of a Spec's process that comes from the image. */
export interface ImageProcess {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly terminal: boolean;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids?: readonly number[] };
}

/** PATH of containers whose image sets none; Docker's. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The process to run. `read` gives files of the image's root file system, for looking up the user.
 * @throws TeuError `invalid` when there is nothing to run or the working directory is relative; `not-found` for unknown users.
 */
export function processFromImage(
  config: ContainerConfig | undefined,
  overrides: ProcessOverrides,
  read: ImageFileReader,
): ImageProcess {
  const user = resolveImageUser(overrides.user ?? config?.User ?? "", read);
  const args = processArgs(config, overrides);
  const cwd = overrides.workingDir ?? config?.WorkingDir ?? "";
  if (cwd !== "" && !cwd.startsWith("/")) {
    throw new TeuError({ code: "invalid", op: "set working directory", subject: cwd, message: "it must be absolute" });
  }
  const defaults = [`PATH=${DEFAULT_PATH}`, ...(overrides.terminal === true ? ["TERM=xterm"] : [])];
  const env = mergeEnv([...defaults, ...(config?.Env ?? [])], overrides.env ?? []);
  const home = env.some((entry) => entry.startsWith("HOME=")) ? [] : [`HOME=${user.home ?? "/"}`];
  const { additionalGids } = user;
  return {
    args,
    env: [...env, ...home],
    cwd: cwd === "" ? "/" : cwd,
    terminal: overrides.terminal === true,
    user: { uid: user.uid, gid: user.gid, ...(additionalGids.length === 0 ? {} : { additionalGids }) },
  };
}

/** Entrypoint and command together. @throws TeuError `invalid` when both are empty. */
export function processArgs(
  config: ContainerConfig | undefined,
  overrides: Pick<ProcessOverrides, "entrypoint" | "command">,
): string[] {
  const entrypoint = overrides.entrypoint ?? config?.Entrypoint ?? [];
  const command = overrides.command ?? (overrides.entrypoint === undefined ? (config?.Cmd ?? []) : []);
  const args = [...entrypoint, ...command];
  if (args.length > 0 && args[0] !== "") return args;
  throw new TeuError({
    code: "invalid",
    op: "run image",
    message: "no command: the image names none",
    hint: "name a command after the image, or an entrypoint",
  });
}

/** `base` with `changes` on top: later entries win, places are kept, "KEY" alone removes. */
export function mergeEnv(base: readonly string[], changes: readonly string[]): string[] {
  const values = new Map<string, string | null>();
  for (const entry of base) values.set(keyOf(entry), entry.includes("=") ? entry : null);
  for (const entry of changes) values.set(keyOf(entry), entry.includes("=") ? entry : null);
  return [...values.values()].filter((entry) => entry !== null);
}

/**
 * Annotations of the runtime Spec that follow from the image (conversion.md, "Annotation Fields"); labels of the image
 * win over what is implied.
 */
export function annotationsFromImage(image: ImageConfig): Record<string, string> {
  const { config } = image;
  const implied: Readonly<Record<string, string | undefined>> = {
    "org.opencontainers.image.os": image.os,
    "org.opencontainers.image.architecture": image.architecture,
    "org.opencontainers.image.variant": image.variant,
    "org.opencontainers.image.os.version": image["os.version"],
    "org.opencontainers.image.os.features": image["os.features"]?.join(","),
    "org.opencontainers.image.author": image.author,
    "org.opencontainers.image.created": image.created,
    "org.opencontainers.image.stopSignal": config?.StopSignal,
    "org.opencontainers.image.exposedPorts": keysText(config?.ExposedPorts),
  };
  const known = Object.entries(implied).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "",
  );
  return { ...Object.fromEntries(known), ...config?.Labels };
}

function keysText(set: Readonly<Record<string, unknown>> | undefined): string | undefined {
  return set === undefined ? undefined : Object.keys(set).join(",");
}

function keyOf(entry: string): string {
  const equals = entry.indexOf("=");
  return equals < 0 ? entry : entry.slice(0, equals);
}
