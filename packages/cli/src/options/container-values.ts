// Values of single container flags: --ulimit, --device, --log-opt.

import { parseSize } from "@teu/base/bytes";
import type { CreateOptions, DeviceOption, UlimitOption } from "@teu/engine/containers/create-options";
import { usageError } from "../grammar/usage-error.ts";

/** "nofile=1024:2048", "core=-1" */
export function parseUlimit(text: string): UlimitOption {
  const match = /^([a-z]+)=(-1|\d{1,15}|unlimited)(?::(-1|\d{1,15}|unlimited))?$/.exec(text);
  if (match === null)
    throw usageError(`--ulimit=${text} cannot be read`, { fallback: "write --ulimit nofile=1024:2048" });
  const soft = limit(match[2] ?? "");
  const hard = match[3] === undefined ? soft : limit(match[3]);
  if (hard !== -1 && (soft === -1 || soft > hard))
    throw usageError(`--ulimit=${text}: the soft limit is above the hard one`, { fallback: "write SOFT:HARD" });
  return { name: match[1] ?? "", soft, hard };
}

/** "/dev/x[:/dev/y][:rwm]" */
export function parseDevice(text: string): DeviceOption {
  const [source = "", ...rest] = text.split(":");
  const last = rest.at(-1);
  const permissions = last !== undefined && /^[rwm]{1,3}$/.test(last) ? rest.pop() : undefined;
  if (!source.startsWith("/") || rest.length > 1)
    throw usageError(`--device=${text} cannot be read`, {
      fallback: "write --device /dev/host[:/dev/container][:rwm]",
    });
  const [target] = rest;
  return {
    source,
    ...(target === undefined || target === "" ? {} : { target }),
    ...(permissions === undefined ? {} : { permissions }),
  };
}

/** --log-driver and --log-opt. */
export function parseLogOptions(driver: string | undefined, options: readonly string[]): Pick<CreateOptions, "log"> {
  if (driver === undefined && options.length === 0) return {};
  if (driver !== undefined && driver !== "json-file" && driver !== "none") {
    throw usageError(`the log driver ${JSON.stringify(driver)} is not supported`, {
      word: driver,
      known: ["json-file", "none"],
      fallback: "use json-file or none",
    });
  }
  const log: { driver: "json-file" | "none"; maxSize?: number; maxFiles?: number } = { driver: driver ?? "json-file" };
  for (const option of options) {
    const [name = "", value = ""] = option.split("=");
    if (name === "max-size") log.maxSize = value === "-1" ? 0 : parseSize(value);
    else if (name === "max-file" && /^[1-9]\d{0,3}$/.test(value)) log.maxFiles = Number(value);
    else
      throw usageError(`--log-opt=${option} is not supported`, {
        word: name,
        known: ["max-size", "max-file"],
        fallback: "use max-size=10m or max-file=3",
      });
  }
  return { log };
}

function limit(text: string): number {
  return text === "unlimited" ? -1 : Number(text);
}
