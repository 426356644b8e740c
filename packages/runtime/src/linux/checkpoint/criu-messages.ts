// CRIU's requests and answers (https://criu.org/RPC), with the field numbers of its images/rpc.proto, version 3.17; they do not change.
// Unknown fields are passed over by CRIU, so what a version cannot do must be found out beforehand (criu.ts).
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { type Fields, MessageWriter, readMessage } from "./protobuf.ts";

/** enum criu_req_type */
export const REQUEST = {
  dump: 1,
  restore: 2,
  preDump: 4,
  notify: 6,
  featureCheck: 9,
  version: 10,
} as const;

/** enum criu_cg_mode: how the properties of cgroups are restored. */
export const CGROUP_MODES: Readonly<Record<string, number>> = { ignore: 0, soft: 3, full: 4, strict: 5 };

/** message ext_mount_map: at dump mount point and name, at restore name and source. */
export interface ExternalMount {
  readonly key: string;
  readonly value: string;
}

/** message criu_opts, as much as is used. Descriptors are numbers of the process that made the socket, unless said otherwise. */
export interface CriuOptions {
  readonly imagesFd: number;
  readonly workFd: number;
  /** Name in the work directory. */
  readonly logFile: string;
  readonly pid?: number;
  readonly root?: string;
  /** Relative to the images. */
  readonly parentImages?: string;
  readonly trackMemory?: boolean;
  readonly leaveRunning?: boolean;
  readonly tcpEstablished?: boolean;
  readonly tcpSkipInFlight?: boolean;
  readonly linkRemap?: boolean;
  readonly externalUnixSockets?: boolean;
  readonly shellJob?: boolean;
  readonly fileLocks?: boolean;
  readonly lazyPages?: boolean;
  readonly autoDedup?: boolean;
  readonly orphanPtsMaster?: boolean;
  readonly evasiveDevices?: boolean;
  /** Restored processes become children of whoever started CRIU. */
  readonly restoreSibling?: boolean;
  readonly externalMasters?: boolean;
  readonly statusFd?: number;
  readonly pageServer?: { readonly address: string; readonly port: number };
  readonly externalMounts?: readonly ExternalMount[];
  /** "net[INODE]:KEY" and the like. */
  readonly externals?: readonly string[];
  /** Descriptors of the CRIU process itself. */
  readonly inheritedFds?: readonly { readonly key: string; readonly fd: number }[];
  /** `kind` as CRIU calls them: "ipc", "uts", "time". */
  readonly joinedNamespaces?: readonly { readonly kind: string; readonly path: string }[];
  readonly cgroupRoots?: readonly { readonly controller: string; readonly path: string }[];
  readonly cgroupMode?: number;
  /** The v1 controllers to take into the images; "" is cgroup v2's hierarchy. Empty: all. */
  readonly cgroupControllers?: readonly string[];
  readonly freezeCgroup?: string;
  /** CLONE_NEW* bits. */
  readonly emptyNamespaces?: number;
  readonly configFile?: string;
  readonly lsmProfile?: string;
  readonly lsmMountContext?: string;
}

const LOG_LEVEL_DEBUG = 4;

/** message criu_req with options. */
export function encodeRequest({ utf8Encode }: Kernel["host"], type: number, options: CriuOptions): Uint8Array {
  return new MessageWriter().integer(1, type).message(2, encodeOptions(utf8Encode, options)).finish();
}

/** A question about CRIU itself; `keep_open` (4) lets another request follow. The kernel's own name for memory tracking: mem_track. */
export function encodeQuestion(type: number): Uint8Array {
  const request = new MessageWriter().integer(1, type).boolean(4, true);
  if (type === REQUEST.featureCheck) request.message(5, new MessageWriter().boolean(1, true).boolean(2, true));
  return request.finish();
}

/** The answer to a notification: `notify_success` (3). */
export function encodeNotified(success: boolean): Uint8Array {
  return new MessageWriter().integer(1, REQUEST.notify).boolean(3, success).finish();
}

function encodeOptions(encode: (text: string) => Uint8Array, options: CriuOptions): MessageWriter {
  const out = new MessageWriter();
  const integer = (field: number, value: number | undefined): void =>
    void (value !== undefined && out.integer(field, value));
  const flag = (field: number, value: boolean | undefined): void => void (value === true && out.boolean(field, true));
  const text = (field: number, value: string | undefined): void =>
    void (value !== undefined && value !== "" && out.bytes(field, encode(value)));
  const pair = (first: string, second: string): MessageWriter =>
    new MessageWriter().bytes(1, encode(first)).bytes(2, encode(second));
  integer(1, options.imagesFd);
  integer(2, options.pid);
  flag(3, options.leaveRunning);
  flag(4, options.externalUnixSockets);
  flag(5, options.tcpEstablished);
  flag(6, options.evasiveDevices);
  flag(7, options.shellJob);
  flag(8, options.fileLocks);
  integer(9, LOG_LEVEL_DEBUG);
  text(10, options.logFile);
  if (options.pageServer !== undefined) {
    const { address, port } = options.pageServer;
    out.message(11, new MessageWriter().bytes(1, encode(address)).integer(2, port));
  }
  flag(12, true); // notify_scripts
  text(13, options.root);
  text(14, options.parentImages);
  flag(15, options.trackMemory);
  flag(16, options.autoDedup);
  integer(17, options.workFd);
  flag(18, options.linkRemap);
  for (const { key, value } of options.externalMounts ?? []) out.message(23, pair(key, value));
  flag(24, true); // manage_cgroups
  for (const { controller, path } of options.cgroupRoots ?? []) out.message(25, pair(controller, path));
  flag(26, options.restoreSibling);
  for (const { key, fd } of options.inheritedFds ?? [])
    out.message(27, new MessageWriter().bytes(1, encode(key)).integer(2, fd));
  flag(30, options.externalMasters);
  integer(34, options.cgroupMode);
  for (const external of options.externals ?? []) text(37, external);
  integer(38, options.emptyNamespaces);
  for (const { kind, path } of options.joinedNamespaces ?? []) out.message(39, pair(kind, path));
  for (const name of options.cgroupControllers ?? []) out.bytes(43, encode(name));
  text(44, options.freezeCgroup);
  flag(46, options.tcpSkipInFlight);
  flag(48, options.lazyPages);
  integer(49, options.statusFd);
  flag(50, options.orphanPtsMaster);
  text(51, options.configFile);
  text(53, options.lsmProfile);
  text(63, options.lsmMountContext);
  return out;
}

/** message criu_resp, as much as is used. */
export interface CriuAnswer {
  readonly type: number;
  readonly success: boolean;
  /** Of a notification: which one, and the host pid of the container's first process. */
  readonly notification: string;
  /** Of a notification or a restore. */
  readonly pid: number;
  /** The kernel's error number, when CRIU tells one. */
  readonly errno: number;
  readonly errorText: string;
  /** major * 10000 + minor * 100 + sublevel; 0 unless asked for. */
  readonly version: number;
  readonly memoryTracking: boolean;
  readonly lazyPages: boolean;
}

/** Reads an answer. Throws `corrupt`. */
export function decodeAnswer({ utf8Decode }: Kernel["host"], data: Uint8Array): CriuAnswer {
  const answer = readMessage(data);
  const inner = (field: number): Fields => {
    const value = answer.get(field);
    return value instanceof Uint8Array ? readMessage(value) : new Map();
  };
  const [restore, notify, features, version] = [inner(4), inner(5), inner(8), inner(10)];
  return {
    type: numberOf(answer, 1),
    success: numberOf(answer, 2) !== 0,
    notification: textOf(utf8Decode, notify, 1),
    pid: numberOf(notify, 2) || numberOf(restore, 1),
    errno: numberOf(answer, 7),
    errorText: textOf(utf8Decode, answer, 9),
    version: numberOf(version, 1) * 10_000 + numberOf(version, 2) * 100 + numberOf(version, 4),
    memoryTracking: numberOf(features, 1) !== 0,
    lazyPages: numberOf(features, 2) !== 0,
  };
}

function numberOf(fields: Fields, field: number): number {
  const value = fields.get(field);
  return typeof value === "bigint" ? Number(value) : 0;
}

function textOf(decode: (data: Uint8Array) => string, fields: Fields, field: number): string {
  const value = fields.get(field);
  return value instanceof Uint8Array ? decode(value) : "";
}
