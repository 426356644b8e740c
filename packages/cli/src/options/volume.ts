// -v, --mount and --tmpfs.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseSize } from "@teu/base/bytes";
import { TeuError } from "@teu/base/errors";
import type { VolumeOption } from "@teu/engine/containers/create-options";
import { nearestWord } from "@teu/builder/dockerfile/did-you-mean";
import { unsupportedFlag, usageError } from "../grammar/usage-error.ts";

const PROPAGATIONS = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
/** Accepted and without meaning here: no SELinux relabelling, no Mac consistency, volumes are always filled. */
const HARMLESS = ["z", "Z", "cached", "delegated", "consistent", "rw"];

/** "[SOURCE:]TARGET[:OPTIONS]"; a source with a slash or dot in front is a path, else a volume's name. */
export function parseVolume(text: string): VolumeOption {
  const parts = text.split(":");
  const [first = "", second, options = ""] = parts;
  if (parts.length > 3 || first === "" || second === "")
    throw usageError(`--volume=${text} cannot be read`, { fallback: "write SOURCE:TARGET[:ro]" });
  const target = second ?? first;
  checkTarget("volume", text, target);
  if (second === undefined) return { kind: "volume", target };
  const words = options.split(",").filter((word) => word !== "");
  const unknown = words.find((word) => word !== "ro" && !PROPAGATIONS.includes(word) && !HARMLESS.includes(word));
  if (unknown !== undefined)
    throw usageError(`--volume=${text}: the option ${JSON.stringify(unknown)} is not supported`, {
      word: unknown,
      known: ["ro", "rw", ...PROPAGATIONS],
      fallback: "use ro, rw or a propagation",
    });
  const readOnly = words.includes("ro");
  if (!/^[./~]/.test(first)) return { kind: "volume", name: first, target, readOnly };
  const propagation = words.find((word) => PROPAGATIONS.includes(word));
  return {
    kind: "bind",
    source: resolve(first),
    target,
    readOnly,
    ...(propagation === undefined ? {} : { propagation }),
  };
}

/** "PATH[:OPTIONS]" */
export function parseTmpfs(text: string): VolumeOption {
  const colon = text.indexOf(":");
  const target = colon < 0 ? text : text.slice(0, colon);
  checkTarget("tmpfs", text, target);
  return {
    kind: "tmpfs",
    target,
    ...(colon < 0
      ? {}
      : {
          options: text
            .slice(colon + 1)
            .split(",")
            .filter((word) => word !== ""),
        }),
  };
}

const MOUNT_KEYS = [
  "type",
  "source",
  "src",
  "target",
  "dst",
  "destination",
  "readonly",
  "ro",
  "bind-propagation",
  "tmpfs-size",
  "tmpfs-mode",
];

/** "type=bind,source=...,target=...,readonly" */
export function parseMount(text: string): VolumeOption {
  const fields = new Map<string, string>();
  for (const field of text.split(",")) {
    const equals = field.indexOf("=");
    const key = equals < 0 ? field : field.slice(0, equals);
    if (!MOUNT_KEYS.includes(key)) {
      if (/^(?:volume-|bind-|image-|consistency)/.test(key)) throw unsupportedFlag(`mount ...,${key}`);
      const near = nearestWord(key, MOUNT_KEYS);
      throw usageError(`--mount=${text}: ${JSON.stringify(key)} is not known`, {
        fallback: near === undefined ? "write type=bind,source=PATH,target=PATH" : `did you mean ${near}?`,
      });
    }
    fields.set(key, equals < 0 ? "true" : field.slice(equals + 1));
  }
  const type = fields.get("type") ?? "volume";
  if (!["bind", "volume", "tmpfs"].includes(type))
    throw usageError(`--mount=${text}: the type ${JSON.stringify(type)} is not supported`, {
      word: type,
      known: ["bind", "volume", "tmpfs"],
      fallback: "use bind, volume or tmpfs",
    });
  const target = fields.get("target") ?? fields.get("dst") ?? fields.get("destination") ?? "";
  checkTarget("mount", text, target);
  const source = fields.get("source") ?? fields.get("src");
  const readOnly = (fields.get("readonly") ?? fields.get("ro") ?? "false") !== "false";
  if (type === "volume") return { kind: "volume", target, readOnly, ...(source === undefined ? {} : { name: source }) };
  if (type === "tmpfs") return { kind: "tmpfs", target, options: tmpfsOptions(fields, readOnly) };
  if (source === undefined)
    throw usageError(`--mount=${text}: a bind needs a source`, { fallback: "write type=bind,source=PATH,target=PATH" });
  const propagation = fields.get("bind-propagation");
  return {
    kind: "bind",
    source: resolve(source),
    target,
    readOnly,
    ...(propagation === undefined ? {} : { propagation }),
  };
}

/** A --mount whose source is there, as Docker wants it: only -v makes a missing directory. @throws TeuError `not-found`. */
export function presentMount(text: string): VolumeOption {
  const mount = parseMount(text);
  if (mount.kind === "bind" && !existsSync(mount.source))
    throw new TeuError({
      code: "not-found",
      op: "mount",
      subject: mount.source,
      message: "there is no such file or directory on this host",
      hint: "make it, or use -v, which makes a directory",
    });
  return mount;
}

function tmpfsOptions(fields: ReadonlyMap<string, string>, readOnly: boolean): string[] {
  const size = fields.get("tmpfs-size");
  const mode = fields.get("tmpfs-mode");
  return [
    ...(size === undefined ? [] : [`size=${parseSize(size)}`]),
    ...(mode === undefined ? [] : [`mode=${mode}`]),
    ...(readOnly ? ["ro"] : []),
  ];
}

function checkTarget(flag: string, text: string, target: string): void {
  if (!target.startsWith("/"))
    throw usageError(`--${flag}=${text}: the path in the container must be absolute`, {
      fallback: "begin it with a slash",
    });
  if (/^\/+$/.test(target))
    throw usageError(`--${flag}=${text}: nothing can be mounted on "/"`, { fallback: "choose a directory below it" });
}
