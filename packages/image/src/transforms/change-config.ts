// Changes to an image's config, as `docker run`'s flags and Dockerfile instructions name them. Fields that are not named stay, known or not.

import { TeuError } from "@teu/base/errors";
import type { ContainerConfig, ImageConfig, Platform } from "@teu/specs/image";

import { withContainerConfig } from "../image-config.ts";
import { configOf, type ImageTransform } from "../values/image-value.ts";

/** What to change. A setting that is null is removed; what is absent stays. */
export interface ConfigChanges {
  /** Variables to set, "NAME=VALUE"; one that is there keeps its place. */
  readonly env?: readonly string[];
  readonly removeEnv?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly removeLabels?: readonly string[];
  /** As in a Dockerfile it takes the command away, unless that is given too. */
  readonly entrypoint?: readonly string[] | null;
  readonly cmd?: readonly string[] | null;
  readonly user?: string | null;
  readonly workdir?: string | null;
  readonly stopSignal?: string | null;
  /** Ports to add, "80/tcp". */
  readonly exposedPorts?: readonly string[];
  readonly removePorts?: readonly string[];
  /** Volumes to add, absolute paths. */
  readonly volumes?: readonly string[];
  readonly removeVolumes?: readonly string[];
  readonly author?: string | null;
  /** RFC 3339. */
  readonly created?: string | null;
  readonly platform?: Platform;
}

/** An image with another config. @throws (when read) TeuError `unsupported` for artifacts. */
export function changeConfig(changes: ConfigChanges): ImageTransform {
  checkChanges(changes);
  return (image) => image.with((parts) => ({ ...parts, config: changedConfig(configOf(image.name, parts), changes) }));
}

/** A config with the changes. */
export function changedConfig(config: ImageConfig, changes: ConfigChanges): ImageConfig {
  const own = config.config ?? {};
  const settings: { -readonly [K in keyof ContainerConfig]?: ContainerConfig[K] | undefined } = {};
  if (changes.env !== undefined || changes.removeEnv !== undefined)
    settings.Env = changedEnv(own.Env ?? [], changes.env ?? [], changes.removeEnv ?? []);
  if (changes.labels !== undefined || changes.removeLabels !== undefined)
    settings.Labels = changedRecord(own.Labels, changes.labels ?? {}, changes.removeLabels ?? []);
  if (changes.exposedPorts !== undefined || changes.removePorts !== undefined)
    settings.ExposedPorts = changedRecord(own.ExposedPorts, named(changes.exposedPorts), changes.removePorts ?? []);
  if (changes.volumes !== undefined || changes.removeVolumes !== undefined)
    settings.Volumes = changedRecord(own.Volumes, named(changes.volumes), changes.removeVolumes ?? []);
  if (changes.entrypoint !== undefined) {
    settings.Entrypoint = changes.entrypoint ?? undefined;
    if (changes.entrypoint !== null && !same(changes.entrypoint, own.Entrypoint)) settings.Cmd = undefined;
  }
  if (changes.cmd !== undefined) settings.Cmd = changes.cmd ?? undefined;
  if (changes.user !== undefined) settings.User = changes.user ?? undefined;
  if (changes.workdir !== undefined) settings.WorkingDir = changes.workdir ?? undefined;
  if (changes.stopSignal !== undefined) settings.StopSignal = changes.stopSignal ?? undefined;
  // Without a setting to change, a config without settings does not get an empty object of them.
  const result = Object.keys(settings).length === 0 ? config : withContainerConfig(config, settings);
  return withField(
    withField(withPlatform(result, changes.platform), "author", changes.author),
    "created",
    changes.created,
  );
}

function withField(config: ImageConfig, name: "author" | "created", value: string | null | undefined): ImageConfig {
  if (value === undefined) return config;
  if (value !== null) return { ...config, [name]: value };
  const { [name]: _, ...rest } = config;
  return rest;
}

function withPlatform(config: ImageConfig, platform: Platform | undefined): ImageConfig {
  if (platform === undefined) return config;
  const { variant: _, ...rest } = config;
  const { os, architecture, variant } = platform;
  return {
    ...(variant === config.variant ? config : rest),
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
  };
}

function changedEnv(env: readonly string[], set: readonly string[], remove: readonly string[]): string[] {
  const gone = new Set(remove);
  const result = env.filter((entry) => !gone.has(nameOf(entry)));
  for (const entry of set) {
    const at = result.findIndex((one) => nameOf(one) === nameOf(entry));
    if (at < 0) result.push(entry);
    else result[at] = entry;
  }
  return result;
}

function changedRecord<T>(
  record: Readonly<Record<string, T>> | undefined,
  set: Readonly<Record<string, T>>,
  remove: readonly string[],
): Record<string, T> | undefined {
  const gone = new Set(remove);
  const kept = Object.entries(record ?? {}).filter(([key]) => !gone.has(key));
  const result = Object.fromEntries([...kept, ...Object.entries(set)]);
  return Object.keys(result).length === 0 && record === undefined ? undefined : result;
}

function named(keys: readonly string[] = []): Record<string, unknown> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}

function nameOf(entry: string): string {
  const equals = entry.indexOf("=");
  return equals < 0 ? entry : entry.slice(0, equals);
}

function same(a: readonly string[], b: readonly string[] | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function checkChanges({ env, exposedPorts, volumes, created, workdir }: ConfigChanges): void {
  for (const entry of env ?? []) if (!/^[^=\0]+=[^\0]*$/.test(entry)) throw invalid(entry, "want NAME=VALUE");
  for (const port of exposedPorts ?? [])
    if (!/^[0-9]{1,5}(?:-[0-9]{1,5})?(?:\/(?:tcp|udp|sctp))?$/.test(port))
      throw invalid(port, "want PORT or PORT/PROTOCOL");
  for (const path of volumes ?? []) if (!path.startsWith("/")) throw invalid(path, "a volume is an absolute path");
  if (workdir !== undefined && workdir !== null && !workdir.startsWith("/"))
    throw invalid(workdir, "a working directory is an absolute path");
  if (created !== undefined && created !== null && Number.isNaN(Date.parse(created)))
    throw invalid(created, "want a time as in RFC 3339");
}

function invalid(subject: string, message: string): TeuError {
  return new TeuError({ code: "invalid", op: "change image", subject, message });
}
