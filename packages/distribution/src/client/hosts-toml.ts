// hosts.toml as containerd reads it (docs/hosts.md of containerd): DIR/HOST/hosts.toml names the mirrors of a host and how to speak to
// them and to the host itself. Paths in it are relative to its directory. This module reads no environment.

import path from "node:path";

import { type ClientCertificate, readAuthority, readClientCertificate } from "./certificates.ts";
import {
  type Capability,
  DEFAULT_SETTINGS,
  type Endpoint,
  type EndpointSettings,
  type EndpointSource,
} from "./endpoint.ts";
import { readTomlFile, TableReader } from "./toml-file.ts";

const OP = "read mirrors";
const FILE = "hosts.toml";
/** For every host that has no directory of its own. */
const DEFAULT_DIRECTORY = "_default";
const CAPABILITIES: readonly string[] = ["pull", "resolve", "push", "referrers"] satisfies readonly (
  | Capability
  | "referrers"
)[];
/** Made by us for every request. */
const OWN_HEADERS: ReadonlySet<string> = new Set(["host", "content-length", "transfer-encoding", "connection"]);

/** The directories of an environment, first the ones that count more; HOME is looked at. */
export function hostsDirectories(env: Readonly<Record<string, string | undefined>>): string[] {
  const { HOME: home } = env;
  const own = home === undefined || home === "" ? [] : [path.join(home, ".config", "containers", "certs.d")];
  return [...own, "/etc/containers/certs.d", "/etc/docker/certs.d", "/etc/containerd/certs.d"];
}

/**
 * Looks for hosts.toml of a host in the directories: all of them for its own, then all of them for `_default`.
 * @throws TeuError `invalid`, `denied` for a file that cannot be read.
 */
export function endpointsIn(directories: readonly string[]): EndpointSource {
  return async (host) => {
    // ".." is a host name to URL parsers; no host begins with the underscore of a name that means all.
    if (/^[._]/.test(host)) return null;
    for (const name of [...directoryNames(host), DEFAULT_DIRECTORY]) {
      for (const directory of directories) {
        const found = await endpointsOf(path.join(directory, name));
        if (found !== null) return found;
      }
    }
    return null;
  };
}

// containerd writes "host_5000_" where a file system has no colons, and looks for that first.
function directoryNames(host: string): string[] {
  const port = /^(.+):(\d+)$/.exec(host);
  return port === null ? [host] : [`${port[1]}_${port[2]}_`, host];
}

async function endpointsOf(directory: string): Promise<readonly Endpoint[] | null> {
  const file = path.join(directory, FILE);
  const document = await readTomlFile(OP, file);
  if (document === null) return null;
  const reader = new TableReader(OP, file, document);
  const endpoints: Endpoint[] = [];
  for (const [name, table] of reader.tables("host")) {
    endpoints.push({ root: rootOf(table, "", name), ...(await settingsOf(table, directory)) });
  }
  const server = reader.text("server");
  const root = server === undefined || server === "" ? null : rootOf(reader, "server", server);
  return [...endpoints, { root, ...(await settingsOf(reader, directory)) }];
}

function rootOf(table: TableReader, key: string, text: string): URL {
  const withScheme = /^https?:\/\//.test(text) ? text : `https://${text}`;
  const url = URL.canParse(withScheme)
    ? new URL(withScheme)
    : table.refuse(key, `${JSON.stringify(text)} is no address`);
  if (url.username !== "" || url.password !== "")
    table.refuse(key, "must not hold a user or password: use `teu login`");
  if (url.search !== "" || url.hash !== "") table.refuse(key, "must not have a query");
  const given = url.pathname.replace(/\/+$/, "");
  const needsVersion = table.flag("override_path") !== true && !given.endsWith("/v2");
  url.pathname = `${given}${needsVersion ? "/v2" : ""}/`;
  return url;
}

async function settingsOf(table: TableReader, directory: string): Promise<EndpointSettings> {
  const authorities: string[] = [];
  for (const name of table.textOrTexts("ca") ?? [])
    authorities.push(await readAuthority(path.resolve(directory, name)));
  const clients: ClientCertificate[] = [];
  for (const [cert = "", key = ""] of table.textOrPairs("client") ?? []) {
    const file = path.resolve(directory, cert);
    // One file may hold both.
    clients.push(await readClientCertificate(file, key === "" ? file : path.resolve(directory, key)));
  }
  const skipVerify = table.flag("skip_verify") === true;
  const isPlain = authorities.length === 0 && clients.length === 0 && !skipVerify;
  return {
    capabilities: capabilitiesOf(table),
    headers: headersOf(table.table("header")),
    tls: isPlain ? null : { authorities, clients, skipVerify },
    connectTimeout: timeoutOf(table),
  };
}

function capabilitiesOf(table: TableReader): ReadonlySet<Capability> {
  const named = table.texts("capabilities");
  if (named === undefined) return DEFAULT_SETTINGS.capabilities;
  const strange = named.find((name) => !CAPABILITIES.includes(name));
  if (strange !== undefined)
    table.refuse("capabilities", `has ${JSON.stringify(strange)}, which is none of ${CAPABILITIES.join(", ")}`);
  return new Set(named.filter((name): name is Capability => name !== "referrers"));
}

function headersOf(table: TableReader): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of table.keys()) {
    const values = table.textOrTexts(name) ?? [];
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || OWN_HEADERS.has(name.toLowerCase()))
      table.refuse(name, "may not be set");
    if (!values.every((value) => /^[\t\x20-\x7e]*$/.test(value)))
      table.refuse(name, "has characters that end a header");
    headers[name.toLowerCase()] = values.join(", ");
  }
  return headers;
}

// Go's durations, as far as they make sense here: "3s", "1m30s", "500ms".
function timeoutOf(table: TableReader): number | undefined {
  const text = table.text("dial_timeout");
  if (text === undefined || text === "") return undefined;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) table.refuse("dial_timeout", 'must be a duration such as "3s"');
  const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const sum = parts.reduce((total, [, count, unit]) => total + Number(count) * (UNITS[unit ?? ""] ?? 0), 0);
  return Math.min(Math.max(sum, 1), 600_000);
}
