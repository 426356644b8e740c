// Which hosts are this machine, and which addresses no registry on the network has a reason to send us to.

/** True for localhost, 127.0.0.0/8 and [::1], as a URL's hostname. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" ||
    hostname.endsWith(".localhost") ||
    /^127(?:\.\d{1,3}){3}$/.test(hostname) ||
    hostname === "[::1]"
  );
}

/** True for link-local addresses: cloud metadata services live there. */
export function isLinkLocal(hostname: string): boolean {
  return (
    /^169\.254(?:\.\d{1,3}){2}$/.test(hostname) ||
    /^\[fe[89ab][0-9a-f]:/i.test(hostname) ||
    /^\[::ffff:a9fe:/i.test(hostname)
  );
}
