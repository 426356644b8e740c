// Basic authentication against an htpasswd file.

import type { Scope } from "@teu/base/scope";
import type { Caller } from "@teu/distribution/server/access";

import { type Identified, type Identifier, readBasic } from "./identify.ts";
import type { PasswordUsers } from "./password-users.ts";

/** Reads user and password. */
export class BasicIdentifier implements Identifier {
  readonly #users: PasswordUsers;

  constructor(users: PasswordUsers) {
    this.#users = users;
  }

  identify(scope: Scope, { headers }: Caller, address: string): Promise<Identified> | undefined {
    const given = readBasic(headers.authorization);
    return given === null ? undefined : this.#login(scope, { ...given, address });
  }

  async #login(scope: Scope, login: Parameters<PasswordUsers["login"]>[1]): Promise<Identified> {
    const outcome = await this.#users.login(scope, login);
    if (outcome.kind === "right") return { kind: "person", person: { name: login.user } };
    return outcome.kind === "wrong" ? { kind: "refused", name: login.user } : outcome;
  }
}
