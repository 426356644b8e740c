// Basic authentication against an htpasswd file: who is in it may do everything, and others nothing, or only pull.
// What was right once is remembered as a keyed hash for as long as the file says the same, since clients send the password with
// every request; what was wrong costs a full check each time, and as much for users that do not exist.

import { createHmac, randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { AccessControl, AccessDecision, AccessRequest } from "@teu/distribution/server/access";

import { bcryptCost, type PasswordHashes } from "./htpasswd.ts";
import { HtpasswdFile } from "./htpasswd-file.ts";
import { PasswordChecker } from "./password-checker.ts";

/** What `BasicAccess` is told. */
export interface BasicAccessOptions {
  /** Path of the htpasswd file. */
  readonly file: string;
  /** Whether anybody may pull. Default false. */
  readonly anonymousPull?: boolean;
}

const CHALLENGE = 'Basic realm="teu registry", charset="UTF-8"';
const REFUSED: AccessDecision = { allowed: false, challenge: CHALLENGE };
const BUSY: AccessDecision = { allowed: false, retryAfter: 1 };
const ANYBODY: AccessDecision = { allowed: true, identity: { name: null } };
const MOST_REMEMBERED = 1000;
/** Cost and salt of a hash that no password has; the cost is set to that of the file. */
const NOBODY = "$./A./A./A./A./A./A./A./AnobodyHasThisOne.............";

/** See the head of this file. Dispose it when no request is under way. */
export class BasicAccess implements AccessControl, AsyncDisposable {
  readonly #file: HtpasswdFile;
  readonly #anonymousPull: boolean;
  readonly #checker: PasswordChecker = new PasswordChecker();
  readonly #key: Buffer = randomBytes(32);
  readonly #remembered: Set<string> = new Set();
  readonly #checking: Map<string, Promise<boolean>> = new Map();

  private constructor(file: HtpasswdFile, anonymousPull: boolean) {
    this.#file = file;
    this.#anonymousPull = anonymousPull;
  }

  /** Reads the file. @throws TeuError `not-found`, `denied`, `invalid` (an entry that is not bcrypt), `exhausted`. */
  static async open(scope: Scope, options: BasicAccessOptions): Promise<BasicAccess> {
    return new BasicAccess(await HtpasswdFile.open(scope, options.file), options.anonymousPull ?? false);
  }

  async decide(scope: Scope, headers: IncomingHttpHeaders, request: AccessRequest): Promise<AccessDecision> {
    const given = readBasic(headers.authorization);
    if (given === null) {
      // The ping is refused even when pulls are open: it is where clients learn that there is something to log in to.
      const open = this.#anonymousPull && request.action === "pull" && isAnonymous(headers.authorization);
      return open ? ANYBODY : REFUSED;
    }
    const hashes = await this.#file.hashes(scope);
    const hash = hashes.get(given.user);
    try {
      const right = await this.#isRight(given.password, hash ?? nobody(hashes));
      return right && hash !== undefined ? { allowed: true, identity: { name: given.user } } : REFUSED;
    } catch (error) {
      if (isTeuError(error, "exhausted")) return BUSY;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#checker[Symbol.asyncDispose]();
  }

  // The hash is part of what is remembered: a password changed in the file is forgotten with it.
  async #isRight(password: string, hash: string): Promise<boolean> {
    const mark = createHmac("sha256", this.#key).update(`${hash}\0${password}`).digest("base64");
    if (this.#remembered.has(mark)) return true;
    // A client that pulls sends many requests at once.
    let checking = this.#checking.get(mark);
    if (checking === undefined) {
      checking = this.#checker.check(password, hash).finally(() => this.#checking.delete(mark));
      this.#checking.set(mark, checking);
    }
    const right = await checking;
    if (right) this.#remember(mark);
    return right;
  }

  #remember(mark: string): void {
    const [oldest] = this.#remembered;
    if (oldest !== undefined && this.#remembered.size >= MOST_REMEMBERED) this.#remembered.delete(oldest);
    this.#remembered.add(mark);
  }
}

function nobody(hashes: PasswordHashes): string {
  const costs = [...hashes.values()].map(bcryptCost);
  return `$2b$${String(Math.max(...costs)).padStart(2, "0")}${NOBODY}`;
}

function readBasic(header: string | undefined): { readonly user: string; readonly password: string } | null {
  const encoded = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 1) return null;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

// Some clients that have no credentials send empty ones.
function isAnonymous(header: string | undefined): boolean {
  return header === undefined || /^basic +Og== *$/i.test(header);
}
