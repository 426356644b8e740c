// Finds the first fault of a JSON text and where it is: a reader that checks and keeps nothing.
// Slow on purpose (one character at a time): it runs only for texts that are going to be refused.
// portable: no host types here.

/** What is wrong, and where; line and column count from 1. */
export interface JsonFault {
  readonly what: string;
  readonly line: number;
  readonly column: number;
}

/** The first fault of `text` under RFC 8259 and I-JSON, or undefined when there is none. */
export function findJsonFault(text: string, maxDepth: number): JsonFault | undefined {
  const reader = new Reader(text, maxDepth);
  try {
    reader.document();
    return undefined;
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    const before = text.slice(0, fault.offset);
    const line = before.split("\n").length;
    return { what: fault.what, line, column: fault.offset - (before.lastIndexOf("\n") + 1) + 1 };
  }
}

class Fault {
  readonly offset: number;
  readonly what: string;

  constructor(offset: number, what: string) {
    this.offset = offset;
    this.what = what;
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

class Reader {
  readonly #text: string;
  readonly #maxDepth: number;
  #at = 0;

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  document(): void {
    this.#space();
    this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) throw this.#unexpected("the end");
  }

  #value(depth: number): void {
    const first = this.#text[this.#at];
    if (first === "{" || first === "[") {
      if (depth === this.#maxDepth) throw new Fault(this.#at, `nested deeper than ${this.#maxDepth}`);
      if (first === "{") this.#object(depth + 1);
      else this.#array(depth + 1);
    } else if (first === '"') {
      this.#string();
    } else if (this.#take(NUMBER) === undefined && this.#take(LITERAL) === undefined) {
      throw this.#unexpected("a value");
    }
  }

  #object(depth: number): void {
    const names = new Set<string>();
    this.#open();
    if (this.#close("}")) return;
    do {
      this.#space();
      const start = this.#at;
      if (this.#text[start] !== '"') throw this.#unexpected("a name in quotes");
      const name = this.#string();
      if (names.has(name)) throw new Fault(start, `duplicate name ${JSON.stringify(name)}`);
      names.add(name);
      this.#space();
      if (this.#text[this.#at] !== ":") throw this.#unexpected('":"');
      this.#at++;
      this.#space();
      this.#value(depth);
    } while (this.#comma("}"));
  }

  #array(depth: number): void {
    this.#open();
    if (this.#close("]")) return;
    do {
      this.#space();
      this.#value(depth);
    } while (this.#comma("]"));
  }

  #string(): string {
    const token = this.#take(STRING);
    if (token === undefined)
      throw new Fault(this.#at, "a string that is not closed or holds a control character or a bad escape");
    const value = JSON.parse(token) as string;
    if (!value.isWellFormed()) throw new Fault(this.#at - token.length, "half a surrogate pair");
    return value;
  }

  #open(): void {
    this.#at++;
    this.#space();
  }

  #close(bracket: string): boolean {
    if (this.#text[this.#at] !== bracket) return false;
    this.#at++;
    return true;
  }

  #comma(bracket: string): boolean {
    this.#space();
    if (this.#close(bracket)) return false;
    if (this.#text[this.#at] !== ",") throw this.#unexpected(`"," or "${bracket}"`);
    this.#at++;
    return true;
  }

  #space(): void {
    while (" \t\n\r".includes(this.#text[this.#at] ?? "x")) this.#at++;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const token = pattern.exec(this.#text)?.[0];
    this.#at += token?.length ?? 0;
    return token;
  }

  #unexpected(wanted: string): Fault {
    const found =
      this.#at < this.#text.length
        ? JSON.stringify(String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0))
        : "the end";
    return new Fault(this.#at, `want ${wanted}, found ${found}`);
  }
}
