// The users of an htpasswd file and whether a password is theirs. What was right once is remembered as a keyed hash for as long as
// the file says the same, since clients send the password with every request; what was wrong costs a full check each time, and as
// much for users that do not exist. Too many wrong ones, of one address or for one user, and the next have to wait.

import { createHmac, randomBytes } from "node:crypto";
import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { AttemptLimits, type AttemptLimitOptions } from "./attempt-limits.ts";
import { HtpasswdFile } from "./htpasswd-file.ts";
import { nobodysHash } from "./password-hash.ts";
import { PasswordChecker } from "./password-checker.ts";

/** What became of a login. `retryAfter`: seconds. */
export type LoginOutcome =
  | { readonly kind: "right" }
  | { readonly kind: "wrong" }
  | { readonly kind: "wait"; readonly retryAfter: number };

/** One login. */
export interface Login {
  readonly user: string;
  readonly password: string;
  /** Where it comes from; "" when unknown. */
  readonly address: string;
}

const MOST_REMEMBERED = 1000;

/** See the head of this file. Dispose it when no request is under way. */
export class PasswordUsers implements AsyncDisposable {
  readonly #file: HtpasswdFile;
  readonly #attempts: AttemptLimits;
  readonly #checker: PasswordChecker = new PasswordChecker();
  readonly #key: Buffer = randomBytes(32);
  readonly #remembered: Set<string> = new Set();
  readonly #checking: Map<string, Promise<boolean>> = new Map();

  private constructor(file: HtpasswdFile, attempts: AttemptLimits) {
    this.#file = file;
    this.#attempts = attempts;
  }

  /** Reads the file. @throws TeuError `not-found`, `denied`, `invalid` (an entry that cannot be used), `exhausted`. */
  static async open(scope: Scope, file: string, limits: Partial<AttemptLimitOptions> = {}): Promise<PasswordUsers> {
    return new PasswordUsers(await HtpasswdFile.open(scope, file), new AttemptLimits(limits));
  }

  /** The file. */
  get path(): string {
    return this.#file.path;
  }

  /** Whether a password is right. @throws TeuError `cancelled` when it is closed meanwhile. */
  async login(scope: Scope, { user, password, address }: Login): Promise<LoginOutcome> {
    const hashes = await this.#file.hashes(scope);
    const hash = hashes.get(user);
    const mark = this.#mark(`${hash ?? ""}\0${user}\0${password}`);
    if (hash !== undefined && this.#remembered.has(mark)) return { kind: "right" };
    const wait = this.#attempts.wait(scope.now(), { user, address });
    if (wait > 0) return { kind: "wait", retryAfter: Math.ceil(wait / 1000) };
    try {
      const right = await this.#check(mark, password, hash ?? nobodysHash([...hashes.values()]));
      if (right && hash !== undefined) {
        this.#remember(mark);
        this.#attempts.succeeded({ user, address });
        return { kind: "right" };
      }
    } catch (error) {
      if (isTeuError(error, "exhausted")) return { kind: "wait", retryAfter: 1 };
      throw error;
    }
    this.#attempts.failed(scope.now(), { user, address });
    return { kind: "wrong" };
  }

  /**
   * A text that changes with the user's password; null when there is no such user. Whatever is given out for a login holds it, so
   * that it ends with the user and with the password.
   */
  async stamp(scope: Scope, user: string): Promise<string | null> {
    const hash = (await this.#file.hashes(scope)).get(user);
    // Not keyed with what a restart changes; what is hashed is a salted hash already.
    return hash === undefined ? null : createHmac("sha256", "stamp").update(`${user}\0${hash}`).digest("base64url");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#checker[Symbol.asyncDispose]();
  }

  // The hash is part of what is remembered: a password changed in the file is forgotten with it.
  #mark(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("base64");
  }

  // A client that pulls sends many requests at once.
  #check(mark: string, password: string, hash: string): Promise<boolean> {
    let checking = this.#checking.get(mark);
    if (checking === undefined) {
      checking = this.#checker.check(password, hash).finally(() => this.#checking.delete(mark));
      this.#checking.set(mark, checking);
    }
    return checking;
  }

  #remember(mark: string): void {
    const [oldest] = this.#remembered;
    if (oldest !== undefined && this.#remembered.size >= MOST_REMEMBERED) this.#remembered.delete(oldest);
    this.#remembered.add(mark);
  }
}
