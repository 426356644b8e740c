// EXPOSE words to the keys of a config's ExposedPorts: "80" -> "80/tcp", "8000-8002/udp" -> three keys.

import { dockerfileError, type Location } from "../dockerfile/location.ts";

/** Sorted, without repetition. @throws TeuError `invalid`. */
export function exposedPorts(words: readonly string[], at: Location): string[] {
  const ports = new Map<string, number>();
  for (const word of words) {
    // Docker takes "ip:host:container" here too and uses only the last part.
    const match = /^(?:.*:)?(\d{1,5})(?:-(\d{1,5}))?(?:\/([A-Za-z]+))?$/.exec(word);
    const protocol = (match?.[3] ?? "tcp").toLowerCase();
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || first > last || last > 65535 || !["tcp", "udp", "sctp"].includes(protocol)) {
      throw dockerfileError(at, `${JSON.stringify(word)} is not a port`, {
        hint: 'write "80", "53/udp" or "8000-8010"',
      });
    }
    for (let port = first; port <= last; port++) ports.set(`${port}/${protocol}`, port);
  }
  return [...ports].sort(([a, m], [b, n]) => m - n || (a < b ? -1 : 1)).map(([key]) => key);
}
