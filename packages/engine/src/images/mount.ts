// image mount: an image's layers as a read-only file system on this host, until it is unmounted. The shim does the mounting: this process
// has many threads. A workspace row keeps the layers; its owner lives as long as this boot, as the mount does.
//
//   RUNROOT/image-mounts/<id>/
//     mount.json   MountRecord; there before the mount, gone after it
//     layers.json  ImageMount, for the shim
//     rootfs/      where it is mounted when no place was named

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";
import { FileLock } from "@teu/files/file-lock";
import { makeDirectory } from "@teu/files/make-directory";
import type { ImageMount as ShimMount } from "@teu/shim/protocol";

import { runShimCommand } from "../containers/shim/spawn.ts";
import { requireProgram } from "../programs.ts";
import { layersDown } from "../snapshots/overlay-snapshots.ts";
import { addWorkspace, deleteWorkspace, workspacesNamed } from "../store/layer-rows.ts";
import { thisBoot } from "../store/owner.ts";
import type { EnginePaths } from "../store/paths.ts";
import { randomHex } from "@teu/files/random";
import type { ImageContext } from "./context.ts";
import { findImage } from "./find.ts";
import type { MountedImage, UnmountOptions } from "./images.ts";

/** What mounts stand on: less than all of an engine, so that the collector can look after them. */
type MountContext = Pick<ImageContext, "db" | "paths">;

/** Keys of the workspaces that keep the layers begin so. */
const KEY = "image-mount-";

interface MountRecord extends MountedImage {
  /** The directory was made for the mount, and goes with it. */
  readonly made: boolean;
}

/** See `Images.mount`. */
export async function mountImage(
  scope: Scope,
  context: ImageContext,
  ref: string,
  target: string | undefined,
): Promise<MountedImage> {
  using _ = await lockMounts(scope, context.paths);
  const { row } = findImage(context.db, ref);
  const own = target === undefined;
  const present = own ? live(context).find((one) => one.image === row.id && one.own) : undefined;
  if (present !== undefined) return present;
  const id = randomHex(6);
  const directory = mountDirectory(context.paths, id);
  const path = own ? join(directory, "rootfs") : resolve(target);
  const record = { id, image: row.id, name: ref, path, own, made: own || !existsSync(path) };
  const layers = row.chainId === null ? [] : layersDown(context.snapshots.context, row.chainId);
  const lower = layers.map((layer) => context.paths.layer(layer.chainId));
  const shim = requireProgram(context.options.shim ?? "teu-shim", "mount image");
  addWorkspace(context.db, { key: keyOf(id), parent: row.chainId }, thisBoot(), scope.now());
  try {
    makeDirectory(directory, 0o700);
    if (record.made) makeTarget(path);
    writeFileSync(join(directory, "mount.json"), JSON.stringify(record));
    const mount: ShimMount = { lower: lower.length === 0 ? [context.paths.empty] : lower, target: path };
    writeFileSync(join(directory, "layers.json"), JSON.stringify(mount));
    await runShimCommand(scope, shim, ["--mount", join(directory, "layers.json")], "mount image", path);
  } catch (error) {
    forget(context, record);
    throw fileError("mount image", path, error);
  }
  return shown(record);
}

/** See `Images.mounts`. */
export async function listMounts(scope: Scope, context: ImageContext): Promise<MountedImage[]> {
  using _ = await lockMounts(scope, context.paths);
  return live(context).map(shown);
}

/** See `Images.unmount`. */
export async function unmountImage(
  scope: Scope,
  context: ImageContext,
  ref: string,
  options: UnmountOptions,
): Promise<MountedImage[]> {
  using _ = await lockMounts(scope, context.paths);
  const wanted = chosen(context, live(context), ref);
  if (wanted.length === 0)
    throw new TeuError({
      code: "not-found",
      op: "unmount image",
      subject: ref,
      message: "it is not mounted",
      hint: "see teu image mount",
    });
  const shim = requireProgram(context.options.shim ?? "teu-shim", "unmount image");
  for (const record of wanted) {
    const force = options.force === true ? ["--force"] : [];
    await runShimCommand(scope, shim, ["--unmount", record.path, ...force], "unmount image", record.path);
    forget(context, record);
  }
  return wanted.map(shown);
}

/** Forgets mounts that somebody else took down. Not while another process mounts: then the next collection will. */
export function sweepMounts(context: MountContext): void {
  const { db, paths } = context;
  if (!existsSync(paths.imageMounts)) return;
  using lock = FileLock.tryAcquire(lockPath(paths));
  if (lock === null) return;
  const kept = new Set(live(context).map(({ id }) => keyOf(id)));
  // A process killed between the row and the directory.
  for (const key of workspacesNamed(db, KEY)) if (!kept.has(key)) deleteWorkspace(db, key);
}

/** Records of mounts that are there; others are forgotten. */
function live(context: MountContext): MountRecord[] {
  const { imageMounts } = context.paths;
  if (!existsSync(imageMounts)) return [];
  const points = mountPoints();
  const found: MountRecord[] = [];
  for (const id of readdirSync(imageMounts)) {
    const record = readRecord(join(imageMounts, id, "mount.json"));
    if (record !== null && points.has(record.path)) found.push(record);
    else if (record !== null) forget(context, record);
    // Killed before it wrote what it was about to do: nothing is mounted.
    else forget(context, { id, path: join(imageMounts, id, "rootfs"), made: true });
  }
  return found;
}

/** Last of all the row: whoever is killed in between leaves what the next one forgets. */
function forget({ db, paths }: MountContext, { id, path, made }: Pick<MountRecord, "id" | "path" | "made">): void {
  if (made) removeEmpty(path);
  removeEmpty(join(mountDirectory(paths, id), "rootfs"));
  // Never recursively: what is below could still be an image's.
  for (const name of ["layers.json", "mount.json"]) rmSync(join(mountDirectory(paths, id), name), { force: true });
  removeEmpty(mountDirectory(paths, id));
  deleteWorkspace(db, keyOf(id));
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    // Somebody's own by now, or never made.
    const errno = (error as NodeJS.ErrnoException).code;
    if (errno !== "ENOENT" && errno !== "ENOTEMPTY" && errno !== "ENOTDIR") throw error;
  }
}

function makeTarget(path: string): void {
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (error) {
    throw fileError("make mount point", path, error);
  }
}

function chosen(context: ImageContext, records: readonly MountRecord[], ref: string): MountRecord[] {
  const path = resolve(ref);
  const direct = records.filter((record) => record.id === ref || (ref.includes("/") && record.path === path));
  if (direct.length > 0) return direct;
  const named = records.filter((record) => record.name === ref);
  if (named.length > 0) return named;
  const image = imageId(context, ref);
  const found = records.filter((record) => record.image === image);
  // Last, as a place here may be called as an image is.
  return found.length > 0 ? found : records.filter((record) => record.path === path);
}

/** Null for what is no image: one that was removed meanwhile is found by what it was called then. */
function imageId(context: ImageContext, ref: string): string | null {
  try {
    return findImage(context.db, ref).row.id;
  } catch (error) {
    if (isTeuError(error, "not-found") || isTeuError(error, "invalid")) return null;
    throw error;
  }
}

function readRecord(path: string): MountRecord | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as MountRecord;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** proc(5), mountinfo: the fifth field, with blanks and backslashes in octal. */
function mountPoints(): ReadonlySet<string> {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const octal = (text: string): string =>
    text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return new Set(lines.map((line) => octal(line.split(" ")[4] ?? "")));
}

function shown({ id, image, name, path, own }: MountRecord): MountedImage {
  return { id, image, name, path, own };
}

function keyOf(id: string): string {
  return KEY + id;
}

function mountDirectory(paths: EnginePaths, id: string): string {
  return join(paths.imageMounts, id);
}

function lockPath(paths: EnginePaths): string {
  return `${paths.imageMounts}.lock`;
}

async function lockMounts(scope: Scope, paths: EnginePaths): Promise<FileLock> {
  makeDirectory(paths.imageMounts, 0o700);
  return FileLock.acquire(scope, lockPath(paths));
}
