// The challenge that sends clients to a token server.

import { formatChallenge } from "@teu/distribution/wire/challenge";
import { formatTokenScope } from "@teu/distribution/wire/token-scope";
import type { Caller } from "@teu/distribution/server/access";

import type { MakeChallenge } from "./guarded-access.ts";

/** What it says. */
export interface BearerChallengeOptions {
  readonly service: string;
  /** A URL; a path is one on the host that was asked, since nobody but the client knows how it got here. */
  readonly realm: string;
}

/** Makes challenges. */
export function bearerChallenge({ service, realm }: BearerChallengeOptions): MakeChallenge {
  return (caller, scope, error) =>
    formatChallenge("Bearer", {
      realm: realm.startsWith("/") ? `${originOf(caller)}${realm}` : realm,
      service,
      ...(scope === null ? {} : { scope: formatTokenScope(scope) }),
      // Without credentials nothing was wrong with them.
      ...(error === undefined || caller.headers.authorization === undefined ? {} : { error }),
    });
}

// A Host that is no host gets back what leads nowhere. Only the client that sent it reads the answer: it is in no shared cache.
function originOf({ headers, socket }: Caller): string {
  const host = headers.host ?? "";
  const scheme = socket !== undefined && "encrypted" in socket ? "https" : "http";
  return `${scheme}://${/^[A-Za-z0-9.-]{1,255}(?::\d{1,5})?$|^\[[0-9a-fA-F:.]{2,45}\](?::\d{1,5})?$/.test(host) ? host : "localhost"}`;
}
