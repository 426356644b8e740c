// shim.json from text to `ShimConfig`: strict, bounded, one version. The one place where the engine's wishes are believed.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { parseJson } from "@teu/specs/json";
import type { NetworkConfig, PortMapping, RootfsConfig, ShimConfig } from "../protocol.ts";
import { SHIM_PROTOCOL_VERSION } from "../protocol.ts";
import { FieldReader } from "./field-reader.ts";
import type { FieldContext } from "./field-reader.ts";

/** Bytes of shim.json at most: room for some hundred layers and a thousand ports. */
export const CONFIG_LIMIT: number = 512 * 1024;

const OP = "read shim.json";
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const CIDR = /^\d{1,3}(?:\.\d{1,3}){3}\/(?:[1-9]|[12]\d|30)$/;
// Interface names go into nft batches: nothing that means something there.
const INTERFACE = /^[A-Za-z][A-Za-z0-9_-]{0,14}$/;

/** @throws TeuError `invalid` with path and value; `unsupported` for another version. */
export function parseConfig(text: string): ShimConfig {
  const fields = new FieldReader(parseJson(text, { document: "shim.json", maxLength: CONFIG_LIMIT, maxDepth: 8 }), {
    op: OP,
    path: "",
  });
  const version = fields.unknown("version");
  if (version !== SHIM_PROTOCOL_VERSION) {
    const message = `version ${JSON.stringify(version)} is not ${SHIM_PROTOCOL_VERSION}`;
    throw new TeuError({ code: "unsupported", op: OP, message, hint: "engine and shim must be of the same release" });
  }
  const config: ShimConfig = {
    version,
    id: fields.match("id", /^[0-9a-f]{64}$/, "64 hexadecimal digits"),
    bundle: fields.path("bundle"),
    runDir: fields.path("runDir"),
    runRoot: fields.path("runRoot"),
    runtime: parseRuntime(fields.object("runtime")),
    rootfs: parseRootfs(fields.object("rootfs")),
    network: parseNetwork(fields.object("network")),
    terminal: fields.boolean("terminal"),
    stdin: fields.boolean("stdin"),
    stdinOnce: fields.boolean("stdinOnce"),
    log: fields.isNull("log") ? null : parseLog(fields.object("log")),
    exitFile: fields.path("exitFile"),
    startTimeoutMs: fields.integer("startTimeoutMs", 1, 2 ** 31 - 1),
  };
  fields.end();
  return config;
}

function parseRuntime(fields: FieldReader): ShimConfig["runtime"] {
  const runtime = { path: fields.path("path"), root: fields.path("root"), args: fields.strings("args", 64) };
  fields.end();
  return runtime;
}

function parseRootfs(fields: FieldReader): RootfsConfig {
  const kind = fields.oneOf("kind", ["directory", "overlay"]);
  if (kind === "directory") {
    fields.end();
    return { kind };
  }
  const lower = fields.strings("lower", 500);
  const wrong = lower.find((path) => !path.startsWith("/"));
  if (lower.length === 0 || wrong !== undefined) throw fields.error("lower", "want at least one absolute path");
  if (fields.has("upper") !== fields.has("work")) throw fields.error("upper", "want upper and work, or neither");
  const writable = fields.has("upper") ? { upper: fields.path("upper"), work: fields.path("work") } : {};
  const volatile = fields.flag("volatile");
  fields.end();
  return { kind, lower, ...writable, volatile };
}

function parseLog(fields: FieldReader): NonNullable<ShimConfig["log"]> {
  const log = {
    path: fields.path("path"),
    maxSize: fields.integer("maxSize", 0, Number.MAX_SAFE_INTEGER),
    maxFiles: fields.integer("maxFiles", 1, 10_000),
  };
  fields.end();
  return log;
}

function parseNetwork(fields: FieldReader): NetworkConfig {
  const mode = fields.oneOf("mode", ["none", "host", "bridge"]);
  if (mode !== "bridge") {
    fields.end();
    return { mode };
  }
  const network: NetworkConfig = {
    mode,
    bridge: fields.match("bridge", INTERFACE, "an interface name"),
    gateway: address(fields, "gateway"),
    address: address(fields, "address"),
    mac: fields.match("mac", /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i, "a hardware address"),
    interfaceName: fields.match("interfaceName", INTERFACE, "an interface name"),
    ports: fields.list("ports", 2048, parsePort),
  };
  fields.end();
  return network;
}

function address(fields: FieldReader, name: string): string {
  const value = fields.match(name, CIDR, "an IPv4 address with prefix");
  if (!IPV4.test(value.split("/")[0] ?? "")) throw fields.error(name, "want an IPv4 address with prefix");
  return value;
}

function parsePort(value: unknown, context: FieldContext): PortMapping {
  const fields = new FieldReader(value, context);
  const port: PortMapping = {
    hostIp: fields.match("hostIp", IPV4, "an IPv4 address"),
    hostPort: fields.integer("hostPort", 1, 65535),
    containerPort: fields.integer("containerPort", 1, 65535),
    protocol: fields.oneOf("protocol", ["tcp", "udp"]),
  };
  fields.end();
  return port;
}
