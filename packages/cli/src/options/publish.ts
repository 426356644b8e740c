// -p: [[IP:]HOST:]CONTAINER[/PROTOCOL], with ranges on both sides.

import { isIPv4 } from "node:net";
import type { PublishOption } from "@teu/engine/containers/create-options";
import { usageError } from "../grammar/usage-error.ts";

const FORM =
  /^(?:(?:([0-9.]+|\[[0-9a-fA-F:.]+\]):)?(\d{1,5}(?:-\d{1,5})?)?:)?(\d{1,5}(?:-\d{1,5})?)(?:\/(tcp|udp|sctp))?$/;

/** @throws TeuError `invalid`; `unsupported` for IPv6 addresses and sctp. */
export function parsePublish(text: string): PublishOption[] {
  const match = FORM.exec(text.trim());
  if (match === null)
    throw usageError(`--publish=${text} cannot be read`, {
      fallback: "write it as 8080:80, 127.0.0.1:8080:80/tcp or 80",
    });
  const [, ip, host, container = "", protocol = "tcp"] = match;
  if (protocol === "sctp") throw usageError("publishing sctp ports is not supported", { fallback: "use tcp or udp" });
  if (ip !== undefined && !isIPv4(ip))
    throw usageError(`--publish=${text}: only IPv4 addresses can be published on`, {
      fallback: "write 127.0.0.1:8080:80",
    });
  const [first, last] = range(text, container);
  const hosts = host === undefined || host === "" || host === "0" ? null : range(text, host);
  if (hosts !== null && hosts[1] - hosts[0] !== last - first)
    throw usageError(`--publish=${text}: the two ranges differ in length`, { fallback: "write 8000-8010:9000-9010" });
  return Array.from({ length: last - first + 1 }, (_, index) => ({
    containerPort: first + index,
    protocol,
    ...(ip === undefined ? {} : { hostIp: ip }),
    ...(hosts === null ? {} : { hostPort: hosts[0] + index }),
  })) as PublishOption[];
}

function range(text: string, part: string): [number, number] {
  const [first = 0, last = first] = part.split("-").map(Number);
  if (first < 1 || last > 65535 || last < first)
    throw usageError(`--publish=${text}: ports go from 1 to 65535`, { fallback: "write it as 8080:80" });
  return [first, last];
}
