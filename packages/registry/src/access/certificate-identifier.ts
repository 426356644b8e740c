// Client certificates: the common name of one that the TLS layer found trusted is the user. A request that brings other
// credentials, too, is whoever those say.

import type { Scope } from "@teu/base/scope";
import type { Caller } from "@teu/distribution/server/access";

import { type Identified, type Identifier, isAnonymous } from "./identify.ts";

interface TlsPeer {
  readonly authorized: boolean;
  getPeerCertificate(): { readonly subject?: { readonly CN?: string | readonly string[] } };
}

/** Reads the certificate of a connection. */
export class CertificateIdentifier implements Identifier {
  readonly #names: WeakMap<object, string | null> = new WeakMap();

  identify(_scope: Scope, { headers, socket }: Caller): Identified | undefined {
    if (socket === undefined || !isAnonymous(headers.authorization)) return undefined;
    let name = this.#names.get(socket);
    if (name === undefined) this.#names.set(socket, (name = nameOf(socket)));
    return name === null ? undefined : { kind: "person", person: { name } };
  }
}

function nameOf(socket: object): string | null {
  const peer = socket as Partial<TlsPeer>;
  if (peer.authorized !== true || peer.getPeerCertificate === undefined) return null;
  const name = peer.getPeerCertificate().subject?.CN;
  // Several names would leave it to the reader which one is meant.
  return typeof name === "string" && /^[\x20-\x7e]{1,255}$/.test(name) ? name : null;
}
