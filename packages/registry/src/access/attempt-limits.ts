// Slows guessing of passwords down: after some wrong ones, each further one doubles the time until the next is looked at, per
// address and per user. Right ones of that user are forgotten about; the address has to wait its time out, since whoever guesses
// may have one password of his own.

/** How patient it is. */
export interface AttemptLimitOptions {
  /** Wrong passwords for one user before anything is slowed down. */
  readonly perUser: number;
  /** The same for one address, behind which many people may be. */
  readonly perAddress: number;
  /** Longest wait, milliseconds. Short enough that nobody is locked out by somebody else's guessing. */
  readonly longest: number;
}

/** Whose attempt. */
export interface Attempt {
  readonly user: string;
  /** "" when unknown: then only the user counts. */
  readonly address: string;
}

interface Count {
  failures: number;
  until: number;
}

const DEFAULTS: AttemptLimitOptions = { perUser: 10, perAddress: 30, longest: 60_000 };
const FIRST = 1000;
/** Entries remembered of each kind; the oldest go first. */
const MOST = 10_000;

/** See the head of this file. */
export class AttemptLimits {
  readonly #options: AttemptLimitOptions;
  readonly #users: Map<string, Count> = new Map();
  readonly #addresses: Map<string, Count> = new Map();

  constructor(options: Partial<AttemptLimitOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Milliseconds to wait before this is looked at; 0 for none. */
  wait(now: number, { user, address }: Attempt): number {
    const until = Math.max(this.#users.get(user)?.until ?? 0, this.#addresses.get(networkOf(address))?.until ?? 0);
    // A clock that was set back must not lock anybody out for longer than the longest wait.
    return Math.min(Math.max(0, until - now), this.#options.longest);
  }

  /** A wrong password. */
  failed(now: number, { user, address }: Attempt): void {
    const { perUser, perAddress } = this.#options;
    this.#count(this.#users, user, perUser, now);
    if (address !== "") this.#count(this.#addresses, networkOf(address), perAddress, now);
  }

  /** A right one. */
  succeeded({ user }: Attempt): void {
    this.#users.delete(user);
  }

  #count(counts: Map<string, Count>, key: string, free: number, now: number): void {
    const { longest } = this.#options;
    const before = counts.get(key);
    // What is long ago is no attack.
    const failures = before === undefined || now - before.until > 10 * longest ? 1 : before.failures + 1;
    const wait = failures < free ? 0 : Math.min(longest, FIRST * 2 ** Math.min(30, failures - free));
    counts.delete(key);
    counts.set(key, { failures, until: now + wait });
    const [oldest] = counts.keys();
    if (counts.size > MOST && oldest !== undefined) counts.delete(oldest);
  }
}

/** What one party has: an IPv4 address, or the first half of an IPv6 one. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("%")[0]?.split("::") ?? [];
  const front = head.split(":").filter((part) => part !== "");
  const back = tail === undefined ? [] : tail.split(":").filter((part) => part !== "");
  const zeros =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => "0");
  return `${[...front, ...zeros, ...back].slice(0, 4).join(":")}::/64`;
}
