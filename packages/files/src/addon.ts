// Finds and loads the Node-API addon (native/node), and turns its errors into ours.
// Nothing else in the package knows how it is loaded; nothing outside the package sees it.

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { type ErrorCode, isTeuError, TeuError } from "@teu/base/errors";

/** The addon's functions; native/node/src has their contracts. An empty `path` means the descriptor itself. */
export interface FilesAddon {
  openat2(dirfd: number, path: string, flags: number, mode: number, resolve: number): number;
  close(fd: number): void;
  reserveDescriptors(count: number): Promise<void>;
  tryFlock(fd: number, operation: number): boolean;
  mkdirat(dirfd: number, path: string, mode: number): void;
  mknodat(dirfd: number, path: string, mode: number, major: number, minor: number): void;
  symlinkat(target: string, dirfd: number, path: string): void;
  linkat(fromFd: number, from: string, toFd: number, to: string, flags: number): void;
  unlinkat(dirfd: number, path: string, flags: number): void;
  renameat2(fromFd: number, from: string, toFd: number, to: string, flags: number): void;
  readlinkat(dirfd: number, path: string): string;
  readDirectory(fd: number): { names: string[]; types: number[] };
  fchownat(dirfd: number, path: string, uid: number, gid: number, flags: number): void;
  fchown(fd: number, uid: number, gid: number): void;
  fchmodat(dirfd: number, path: string, mode: number, flags: number): void;
  fchmod(fd: number, mode: number): void;
  setTopDirectory(fd: number): boolean;
  utimensat(
    dirfd: number,
    path: string,
    atime: number,
    atimeNs: number,
    mtime: number,
    mtimeNs: number,
    flags: number,
  ): void;
  futimens(fd: number, atime: number, atimeNs: number, mtime: number, mtimeNs: number): void;
  statx(dirfd: number, path: string, flags: number, out: Float64Array): boolean;
  fstatfs(fd: number): number[];
  setXattr(dirfd: number, path: string, name: string, value: Uint8Array): void;
  getXattr(dirfd: number, path: string, name: string): Uint8Array | null;
  listXattrs(dirfd: number, path: string): string[];
  removeXattr(dirfd: number, path: string, name: string): boolean;
  writeNewFile(
    dirfd: number,
    name: string,
    data: Uint8Array,
    mode: number,
    uid: number,
    gid: number,
    mtime: number,
    mtimeNs: number,
  ): void;
  planFiles(
    archive: Uint8Array,
    at: number,
    before: Uint8Array,
    dirfd: number,
    base: number,
    plan: Float64Array,
  ): { bytes: number; names: string };
  writeAll(fd: number, data: Uint8Array): void;
  copyRange(from: number, to: number, count: number): number;
  ftruncate(fd: number, size: number): void;
  allocate(fd: number, size: number): boolean;
  seekExtent(fd: number, offset: number, hole: boolean): number;
  fsync(fd: number): void;
  syncfs(fd: number): void;
  spawnDetached(
    program: string,
    args: readonly string[],
    environment: readonly string[],
    pipes: number,
  ): { pid: number; pipes: number[] };
  tryWaitpid(pid: number): boolean;
  exitNow(code: number): void;
  pageOffset(data: Uint8Array): number;
  Hasher: new (bits: number) => NativeHasher;
  Expander: new (windowLog: number) => NativeExpander;
  FileWriter: new () => PlanWriter;
}

/** `Hasher` of bulk.ts says what they do; of two at once, of which none is busy and both are different. */
export interface NativeHasher {
  take(data: Uint8Array): void;
  update(data: Uint8Array): Promise<void>;
  updateFromFile(fd: number, offset: number, length: number): Promise<number>;
  updateTwo(data: Uint8Array, two: NativeHasher, otherData: Uint8Array): Promise<void>;
  updateTwoFromFiles(
    fd: number,
    offset: number,
    length: number,
    two: NativeHasher,
    otherFd: number,
    otherOffset: number,
    otherLength: number,
  ): Promise<readonly [HashedPart, HashedPart]>;
  digest(): string;
}

/** What became of one of two files. */
export interface HashedPart {
  readonly bytes: number;
  /** Empty when nothing failed. */
  readonly message: string;
}

interface NativeExpander {
  push(input: Uint8Array): void;
  end(): void;
  waiting(): number;
  give(output: Uint8Array): void;
  take(): number;
  between(): boolean;
  idle(): boolean;
  run(): Promise<void>;
  close(): void;
}

interface PlanWriter {
  start(
    plan: Float64Array,
    names: Uint8Array,
    data: Uint8Array,
    count: number,
    hasher?: NativeHasher,
    hashed?: Uint8Array,
    second?: NativeHasher,
    alsoHashed?: Uint8Array,
  ): Promise<PlanWritten>;
  help(): Promise<void>;
  wait(): PlanWritten;
  run(plan: Float64Array, names: Uint8Array, data: Uint8Array, count: number): PlanWritten;
  close(): void;
}

/** How far a plan was carried out: records, and the error of the one that failed. */
export interface PlanWritten {
  done: number;
  code: string;
  message: string;
}

const FILE = "teu-files.node";
let loaded: FilesAddon | undefined;

/**
 * The addon, loaded at first use. TEU_FILES_ADDON names the file; else it is looked for where the build puts it,
 * from the sources and from the bundles alike.
 * @throws TeuError `unavailable` when it was not built or does not load.
 */
export function filesAddon(): FilesAddon {
  loaded ??= load();
  return loaded;
}

/** Where the addon is, or null when it was not built. */
export function filesAddonPath(): string | null {
  const named = process.env["TEU_FILES_ADDON"];
  if (named !== undefined && named !== "") return named;
  // In a CommonJS bundle import.meta is empty, in a module __dirname is not there.
  const here = typeof __dirname === "string" ? __dirname : dirname(new URL(import.meta.url).pathname);
  const places = ["native", "../native", "../../native", "../../../dist/native"];
  return places.map((place) => join(here, place, FILE)).find((path) => existsSync(path)) ?? null;
}

function load(): FilesAddon {
  const path = filesAddonPath();
  const hint = "run `npm run build` in the checkout, or name the file in TEU_FILES_ADDON";
  if (path === null) {
    throw new TeuError({ code: "unavailable", op: "load the file addon", message: `${FILE} was not built`, hint });
  }
  // Not `require`, which a module has to make by node:module, with a look for package.json in each directory above.
  const module: { exports: unknown } = { exports: {} };
  try {
    // The linker looks for a name without a slash elsewhere.
    process.dlopen(module, resolve(path));
    return module.exports as FilesAddon;
  } catch (cause) {
    throw new TeuError({
      code: "unavailable",
      op: "load the file addon",
      subject: path,
      message: "it does not load",
      hint,
      cause,
    });
  }
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "not-found",
  ENODATA: "not-found",
  EEXIST: "already-exists",
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "denied",
  ENOSPC: "exhausted",
  EDQUOT: "exhausted",
  EMFILE: "exhausted",
  ENFILE: "exhausted",
  ENOMEM: "exhausted",
  EMLINK: "exhausted",
  EFBIG: "exhausted",
  EINVAL: "invalid",
  ENAMETOOLONG: "invalid",
  ELOOP: "invalid",
  ENOTDIR: "invalid",
  EISDIR: "invalid",
  EXDEV: "invalid",
  ERANGE: "invalid",
  EILSEQ: "invalid",
  EBUSY: "conflict",
  ENOTEMPTY: "conflict",
  ETXTBSY: "conflict",
  EAGAIN: "conflict",
  ENOSYS: "unsupported",
  EOPNOTSUPP: "unsupported",
  EUCLEAN: "corrupt",
};

/**
 * Runs one addon call. @throws TeuError with the code of the errno and `detail {errno, syscall, path}`.
 * `op` is what is being done, verb first; it may be the call's own name.
 */
export function attempt<T>(op: string, path: string, call: (addon: FilesAddon) => T): T {
  const addon = filesAddon();
  try {
    return call(addon);
  } catch (error) {
    throw fileError(op, path, error);
  }
}

/** What Node says in words that help nobody. */
const PLAIN: Readonly<Record<string, string>> = { EISDIR: "it is a directory" };

/** A failed file call, of the addon or of node:fs, as TeuError; its errno is in `detail.errno`. A TeuError stays itself. */
export function fileError(op: string, path: string, error: unknown): TeuError {
  if (isTeuError(error)) return error;
  const raw = error as { code?: unknown; message?: unknown; syscall?: unknown };
  const errno = typeof raw.code === "string" ? raw.code : "";
  const [first, second] = String(raw.message ?? error).split(": ");
  // The addon says "mkdirat: file exists", node:fs "EEXIST: file already exists, mkdir '/x'".
  const message = (first === errno ? second?.split(", ")[0] : second) ?? String(raw.message ?? error);
  const syscall = typeof raw.syscall === "string" ? raw.syscall : (first ?? "");
  const plain = PLAIN[errno] ?? message;
  return new TeuError({
    code: CODES[errno] ?? "internal",
    op,
    subject: path,
    message: errno === "" ? message : `${plain} (${errno})`,
    detail: { errno, syscall, path },
  });
}

/** The errno name of an error made here or by node:fs: "ENOENT"; undefined for other errors. */
export function errnoOf(error: unknown): string | undefined {
  const { detail, code } = (error ?? {}) as { detail?: { errno?: unknown }; code?: unknown };
  if (typeof detail?.errno === "string") return detail.errno;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
