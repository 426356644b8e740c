// What is different between two images: files and settings.

import type { Scope } from "@teu/base/scope";
import type { ImageConfig } from "@teu/specs/image";

import type { ImageValue } from "../values/image-value.ts";
import { hashingTaker } from "./list-files.ts";
import type { FileFacts } from "./merged-tree.ts";
import { readTree, treeFiles } from "./read-tree.ts";

/** What of a file is different. */
export type FileAspect = "type" | "content" | "mode" | "owner" | "link" | "device" | "attributes" | "time";

/** One file that is different. */
export interface FileDifference {
  readonly path: string;
  readonly kind: "added" | "changed" | "deleted";
  readonly type: FileFacts["type"];
  /** Bytes before and after; 0 where it is not. */
  readonly before: number;
  readonly after: number;
  /** Of a changed file. */
  readonly what: readonly FileAspect[];
}

/** One setting that is different; undefined: it is not there. */
export interface SettingDifference {
  /** "Env.PATH", "Labels.version", "architecture". */
  readonly name: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** All differences. */
export interface ImageDifference {
  readonly files: readonly FileDifference[];
  readonly config: readonly SettingDifference[];
}

/** How images are compared. */
export interface DiffImagesOptions {
  /** Also files of which only the time is different. */
  readonly times?: boolean;
}

/** Compares two images, wherever they are; reads all their layers. */
export async function diffImages(
  scope: Scope,
  before: ImageValue,
  after: ImageValue,
  options: DiffImagesOptions = {},
): Promise<ImageDifference> {
  const config = diffConfigs(await before.config(scope), await after.config(scope));
  const [old, now] = [await filesOf(scope, before), await filesOf(scope, after)];
  const files: FileDifference[] = [];
  for (const path of inOrder([...old.keys(), ...now.keys()])) {
    const [a, b] = [old.get(path), now.get(path)];
    const what = a === undefined || b === undefined ? [] : aspects(a, b, options.times === true);
    if (a !== undefined && b !== undefined && what.length === 0) continue;
    files.push({
      path,
      kind: a === undefined ? "added" : b === undefined ? "deleted" : "changed",
      type: ((b ?? a) as FileFacts).type,
      before: a?.size ?? 0,
      after: b?.size ?? 0,
      what,
    });
  }
  return { files, config };
}

/** Settings of two configs that are different, by name. */
export function diffConfigs(before: ImageConfig, after: ImageConfig): SettingDifference[] {
  const [a, b] = [settings(before), settings(after)];
  return [...new Set([...a.keys(), ...b.keys()])]
    .toSorted()
    .filter((name) => JSON.stringify(a.get(name)) !== JSON.stringify(b.get(name)))
    .map((name) => ({ name, before: a.get(name), after: b.get(name) }));
}

async function filesOf(scope: Scope, image: ImageValue): Promise<Map<string, FileFacts>> {
  const tree = await readTree(scope, image, { content: hashingTaker });
  return new Map(Array.from(treeFiles(tree), ({ path, node }) => [path, node.facts]));
}

function aspects(a: FileFacts, b: FileFacts, times: boolean): FileAspect[] {
  if (a.type !== b.type) return ["type"];
  const found: FileAspect[] = [];
  if (a.size !== b.size || a.content !== b.content) found.push("content");
  if (a.mode !== b.mode) found.push("mode");
  if (a.uid !== b.uid || a.gid !== b.gid) found.push("owner");
  if (a.linkName !== b.linkName) found.push("link");
  if (a.devMajor !== b.devMajor || a.devMinor !== b.devMinor) found.push("device");
  if (!sameXattrs(a.xattrs, b.xattrs)) found.push("attributes");
  if (times && a.mtimeNs !== b.mtimeNs) found.push("time");
  return found;
}

function sameXattrs(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): boolean {
  return (
    a.size === b.size &&
    [...a].every(([key, value]) => Buffer.compare(value, b.get(key) ?? new Uint8Array(0)) === 0 && b.has(key))
  );
}

/** Everything a config says but its layers and history, variables and labels one by one. */
function settings(image: ImageConfig): Map<string, unknown> {
  const { config = {}, rootfs: _rootfs, history: _history, ...rest } = image;
  const found = new Map<string, unknown>(Object.entries(rest));
  for (const [key, value] of Object.entries(config)) {
    if (key === "Env" && Array.isArray(value)) {
      for (const entry of value as readonly string[]) {
        const equals = entry.indexOf("=");
        found.set(`Env.${equals < 0 ? entry : entry.slice(0, equals)}`, equals < 0 ? "" : entry.slice(equals + 1));
      }
    } else if (["Labels", "ExposedPorts", "Volumes"].includes(key) && typeof value === "object" && value !== null) {
      for (const [name, inner] of Object.entries(value)) found.set(`${key}.${name}`, inner);
    } else found.set(key, value);
  }
  return found;
}

/** Each path once, component by component, so that a directory is followed by what is in it. */
function inOrder(paths: readonly string[]): string[] {
  const keys = new Set(paths.map((path) => path.replaceAll("/", "\0")));
  return [...keys].toSorted().map((key) => key.replaceAll("\0", "/"));
}
