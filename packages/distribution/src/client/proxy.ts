// Which proxy a request goes through, by the variables that Go's programs read (golang.org/x/net/http/httpproxy): Docker, Podman and
// containerd all do. Node's own reading differs: it knows no address ranges, and "example.com" leaves subdomains out.
// ALL_PROXY is not among them; where no other one is set it is taken for SOCKS proxies, which is what Docker's dialer took it for
// (golang.org/x/net/proxy).

import { BlockList, isIP } from "node:net";
import { TeuError } from "@teu/base/errors";

import { isLoopback } from "./loopback.ts";

/** Variables by name. */
export type ProxyEnv = Readonly<Record<string, string | undefined>>;

/** The proxy for a URL; null for none. @throws TeuError `invalid`, `unsupported` for a proxy that cannot be used. */
export function proxyFor(url: URL, env: ProxyEnv): URL | null {
  const secure = url.protocol === "https:";
  const own = secure ? "HTTPS_PROXY" : "HTTP_PROXY";
  // A CGI program's HTTP_PROXY is its client's "Proxy" header.
  const isHeader = !secure && (env["REQUEST_METHOD"] ?? "") !== "";
  const name = isHeader || variable(env, own) === "" ? "ALL_PROXY" : own;
  const text = variable(env, name);
  if (text === "" || (name === "ALL_PROXY" && !/^socks/i.test(text))) return null;
  if (isLoopback(url.hostname) || isExcepted(url, variable(env, "NO_PROXY"))) return null;
  return proxyUrl(name, text);
}

/** Whether a proxy is spoken to in SOCKS5. */
export function isSocks(proxy: URL): boolean {
  return proxy.protocol === "socks5:" || proxy.protocol === "socks5h:";
}

function variable(env: ProxyEnv, name: string): string {
  return env[name] || env[name.toLowerCase()] || "";
}

function proxyUrl(name: string, text: string): URL {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : null;
  if (url === null || url.hostname === "") {
    // It may hold a password: the text is not shown.
    throw new TeuError({ code: "invalid", op: "choose proxy", subject: name, message: "it is no address" });
  }
  if (url.protocol === "http:" || url.protocol === "https:" || isSocks(url)) return url;
  throw new TeuError({
    code: "unsupported",
    op: "choose proxy",
    subject: name,
    message: `proxies of type ${url.protocol.slice(0, -1)} cannot be used`,
    hint: "HTTP, HTTPS and SOCKS5 (socks5://, socks5h://) proxies can",
  });
}

function isExcepted(url: URL, exceptions: string): boolean {
  const host = url.hostname
    .replace(/^\[|\]$/g, "")
    .toLowerCase()
    .replace(/\.$/, "");
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  return exceptions.split(",").some((entry) => excepts(entry.trim().toLowerCase(), host, port));
}

function excepts(entry: string, host: string, port: string): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  const range = /^\[?([0-9a-f.:]+)\]?\/(\d{1,3})$/.exec(entry);
  if (range !== null) return isInRange(host, range[1] ?? "", Number(range[2]));
  const { name, onlyPort } = withoutPort(entry);
  if (onlyPort !== "" && onlyPort !== port) return false;
  if (isIP(name) !== 0) return isInRange(host, name, isIP(name) === 4 ? 32 : 128);
  if (isIP(host) !== 0) return false;
  const domain = name.replace(/^\*/, "");
  return domain.startsWith(".") ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`);
}

function withoutPort(entry: string): { name: string; onlyPort: string } {
  if (isIP(entry) === 6) return { name: entry, onlyPort: "" };
  const [, name = entry, onlyPort = ""] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(entry) ?? [];
  return { name, onlyPort };
}

function isInRange(host: string, network: string, bits: number): boolean {
  const family = isIP(network);
  if (family === 0 || isIP(host) === 0 || bits > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, bits, family === 4 ? "ipv4" : "ipv6");
  return list.check(host, isIP(host) === 4 ? "ipv4" : "ipv6");
}
