// The one error class of teu, with its closed vocabulary of codes. docs/reference/errors.md lists the same codes; a test compares.
// Mapping to OCI, HTTP, gRPC and exit codes is the business of one file per edge, never of this one.
// portable: no host types here.

/** Every code there is. What each means to a caller is written in docs/reference/errors.md. */
export const ERROR_CODES = [
  "not-found",
  "already-exists",
  "invalid",
  "conflict",
  "denied",
  "unavailable",
  "unsupported",
  "cancelled",
  "timeout",
  "corrupt",
  "exhausted",
  "internal",
] as const;

/** One of `ERROR_CODES`. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What a `TeuError` is made of. */
export interface TeuErrorOptions {
  readonly code: ErrorCode;
  /** What was tried, verb first, lower case: "pull image", "mount". */
  readonly op: string;
  /** What it was tried on: a path, a reference, an id. Quoted in the text. */
  readonly subject?: string;
  /** What is so: "manifest not found", "is a directory". Without a full stop. */
  readonly message: string;
  /** Structured facts for machines. */
  readonly detail?: Readonly<Record<string, unknown>>;
  /** What to do about it, one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The JSON form in which an error crosses a process border. */
export interface TeuErrorJson {
  readonly code: ErrorCode;
  readonly op: string;
  readonly subject?: string;
  readonly message: string;
  readonly detail?: Readonly<Record<string, unknown>>;
  readonly hint?: string;
  readonly cause?: string;
}

const BRAND: unique symbol = Symbol.for("teu.error") as never;

/**
 * The error of every teu package. Text: `cannot OP "SUBJECT": MESSAGE: CAUSE`.
 * Passwords in URLs, bearer tokens and basic credentials are scrubbed from all text when it is made.
 */
export class TeuError extends Error {
  readonly code: ErrorCode;
  readonly op: string;
  readonly subject: string | undefined;
  /** The `message` it was made with, without op, subject and cause. */
  readonly what: string;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly hint: string | undefined;

  constructor(options: TeuErrorOptions) {
    const subject = options.subject === undefined ? undefined : scrubSecrets(options.subject);
    const what = scrubSecrets(options.message);
    super(textOf(options.op, subject, what, options.cause), { cause: options.cause });
    this.name = "TeuError";
    this.code = options.code;
    this.op = options.op;
    this.subject = subject;
    this.what = what;
    this.detail = scrubDetail(options.detail ?? {});
    this.hint = options.hint;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** For process borders; `fromJson` reverses it. */
  toJSON(): TeuErrorJson {
    return {
      code: this.code,
      op: this.op,
      ...(this.subject === undefined ? {} : { subject: this.subject }),
      message: this.what,
      ...(Object.keys(this.detail).length === 0 ? {} : { detail: this.detail }),
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.cause === undefined ? {} : { cause: causeText(this.cause) }),
    };
  }
}

/** True for every `TeuError`, also of another copy of this module; with `code`, only for that code. */
export function isTeuError(error: unknown, code?: ErrorCode): error is TeuError {
  const branded = typeof error === "object" && error !== null && (error as Record<symbol, unknown>)[BRAND] === true;
  return branded && (code === undefined || (error as TeuError).code === code);
}

/** Rebuilds an error from the JSON of `toJSON`; anything else becomes code `internal`. */
export function fromJson(json: unknown): TeuError {
  const value = (typeof json === "object" && json !== null ? json : {}) as Partial<TeuErrorJson>;
  const known = (ERROR_CODES as readonly string[]).includes(value.code ?? "");
  return new TeuError({
    code: known ? (value.code as ErrorCode) : "internal",
    op: typeof value.op === "string" ? value.op : "read an error",
    message: typeof value.message === "string" ? value.message : JSON.stringify(json),
    ...(typeof value.subject === "string" ? { subject: value.subject } : {}),
    ...(value.detail === undefined ? {} : { detail: value.detail }),
    ...(typeof value.hint === "string" ? { hint: value.hint } : {}),
    ...(typeof value.cause === "string" ? { cause: new Error(value.cause) } : {}),
  });
}

/** The message of anything thrown, cause chain included, joined by ": ". */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  let at = error;
  // Eight causes explain enough, and causes can form a ring.
  for (let depth = 0; depth < 8; depth++) {
    parts.push(at instanceof Error || isTeuError(at) ? at.message : String(at));
    // The text of a TeuError has its causes in it.
    if (isTeuError(at) || !(at instanceof Error) || at.cause === undefined) break;
    at = at.cause;
  }
  return parts.join(": ");
}

/** Removes what must not be shown or logged: URL passwords, Authorization values, token parameters. */
export function scrubSecrets(text: string): string {
  return (
    text
      // A scheme has few letters: without a bound every long word would be searched once for each of its letters.
      .replace(/([a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@]*):[^\s/@]+@/gi, "$1:***@")
      .replace(/\b(authorization["']?\s*[:=]\s*["']?(?:bearer|basic)\s+)[^\s"',]+/gi, "$1***")
      // Credentials have more than small letters; "Basic authentication" has not.
      .replace(/\b([Bb]earer|[Bb]asic)\s+(?=[a-z]*[A-Z0-9._~+/=-])[A-Za-z0-9._~+/=-]{8,}/g, "$1 ***")
      .replace(
        /\b((?:access_|refresh_|identity|registry)?token|password|X-Amz-Signature|sig)(=|["']\s*:\s*["'])[^&\s"',]+/gi,
        "$1$2***",
      )
  );
}

function textOf(op: string, subject: string | undefined, what: string, cause: unknown): string {
  const head = subject === undefined ? `cannot ${op}: ${what}` : `cannot ${op} ${JSON.stringify(subject)}: ${what}`;
  return cause === undefined ? head : `${head}: ${causeText(cause)}`;
}

function scrubDetail(detail: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const scrubbed = Object.entries(detail).map(([key, value]) => [
    key,
    typeof value === "string" ? scrubSecrets(value) : value,
  ]);
  return Object.fromEntries(scrubbed) as Record<string, unknown>;
}

function causeText(cause: unknown): string {
  return scrubSecrets(errorText(cause));
}
