// RUN --mount=type=...,key=value: parsed and checked. Bind, cache and tmpfs can be had; secret and ssh cannot yet.

import { parseSize } from "@teu/base/bytes";
import { dockerfileError, type Location } from "../dockerfile/location.ts";
import { didYouMean } from "../dockerfile/did-you-mean.ts";

/** One mount of a RUN step. Paths may still hold variables. */
export interface RunMount {
  readonly type: "bind" | "cache" | "tmpfs";
  readonly target: string;
  /** Default "": the root of the source. */
  readonly source: string;
  /** Stage or image; absent: the context (bind), an empty directory (cache). */
  readonly from?: string;
  /** Writes are allowed; for bind they are thrown away. */
  readonly writable: boolean;
  /** Of caches; default: the target. */
  readonly id?: string;
  /** Of caches. */
  readonly sharing: "shared" | "locked";
  /** Of tmpfs, bytes. */
  readonly size?: number;
  /** Of a new cache directory. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

const KEYS = [
  "type",
  "target",
  "dst",
  "destination",
  "source",
  "src",
  "from",
  "ro",
  "readonly",
  "rw",
  "readwrite",
  "id",
  "sharing",
  "size",
  "mode",
  "uid",
  "gid",
  "required",
  "env",
];

/** @throws TeuError `invalid`; `unsupported` for the types secret and ssh, and for private caches. */
export function parseRunMount(text: string, at: Location): RunMount {
  const fields = readFields(text, at);
  const type = fields.get("type") ?? "bind";
  if (type === "secret" || type === "ssh") {
    throw dockerfileError(at, `RUN --mount=type=${type} is not supported`, {
      code: "unsupported",
      hint: "bind, cache and tmpfs are",
    });
  }
  if (type !== "bind" && type !== "cache" && type !== "tmpfs")
    throw dockerfileError(at, `mount type ${JSON.stringify(type)} is not known`, {
      hint: didYouMean(type, ["bind", "cache", "tmpfs"]),
    });
  const target = fields.get("target") ?? fields.get("dst") ?? fields.get("destination");
  if (target === undefined || target === "") throw dockerfileError(at, "a mount needs target=PATH");
  if (/^\/+$/.test(target)) throw dockerfileError(at, 'a mount cannot have "/" as target');
  const sharing = fields.get("sharing") ?? "shared";
  if (sharing === "private")
    throw dockerfileError(at, "caches with sharing=private are not supported", {
      code: "unsupported",
      hint: "use sharing=locked or shared",
    });
  if (sharing !== "shared" && sharing !== "locked")
    throw dockerfileError(at, `sharing=${sharing} is not known`, { hint: "use shared or locked" });
  const from = fields.get("from");
  if (from?.includes("$") === true) throw dockerfileError(at, "variables are not expanded in a mount's from");
  const id = fields.get("id");
  const size = fields.get("size");
  return {
    type,
    target,
    sharing,
    source: fields.get("source") ?? fields.get("src") ?? "",
    writable: writable(type, fields),
    mode: octal(fields.get("mode"), at),
    uid: whole(fields, "uid", at),
    gid: whole(fields, "gid", at),
    ...(from === undefined ? {} : { from }),
    ...(id === undefined ? {} : { id }),
    ...(size === undefined ? {} : { size: parseSize(size) }),
  };
}

function readFields(text: string, at: Location): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of text.split(",")) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    if (!KEYS.includes(key))
      throw dockerfileError(at, `a mount does not know ${JSON.stringify(key)}`, { hint: didYouMean(key, KEYS) });
    if (equals < 0 && !["ro", "readonly", "rw", "readwrite", "required"].includes(key))
      throw dockerfileError(at, `a mount's ${key} needs a value`);
    fields.set(key, equals < 0 ? "true" : field.slice(equals + 1));
  }
  return fields;
}

function writable(type: string, fields: ReadonlyMap<string, string>): boolean {
  const rw = fields.get("rw") ?? fields.get("readwrite");
  const ro = fields.get("ro") ?? fields.get("readonly");
  if (rw !== undefined) return rw !== "false";
  if (ro !== undefined) return ro === "false";
  return type !== "bind";
}

function octal(text: string | undefined, at: Location): number {
  if (text === undefined) return 0o755;
  if (!/^[0-7]{1,4}$/.test(text)) throw dockerfileError(at, `mode=${text} is not octal`);
  return Number.parseInt(text, 8);
}

function whole(fields: ReadonlyMap<string, string>, key: string, at: Location): number {
  const text = fields.get(key) ?? "0";
  if (!/^\d{1,10}$/.test(text)) throw dockerfileError(at, `${key}=${text} is not a number`);
  return Number(text);
}
