// Here-documents in ADD, COPY and RUN: `[fd]<<[-]NAME` words and the bodies that follow the line.

/** One here-document. */
export interface Heredoc {
  /** The terminator, quotes removed. */
  readonly name: string;
  /** Whether variables in the body are expanded: no quote in the name. */
  readonly expand: boolean;
  /** `<<-`: leading tabs are dropped. */
  readonly chomp: boolean;
  /** File descriptor in front of `<<`; 0 when none. */
  readonly fd: number;
  /** The body as it stands in the file, with newlines; leading tabs dropped for `<<-`. */
  readonly content: string;
}

/** A here-document whose body is not read yet. */
export type HeredocHead = Omit<Heredoc, "content">;

const HEREDOC_WORD = /^(\d*)<<(-?)([^<]+)$/;

/** The here-document that a word announces; null when it announces none. */
export function heredocHead(word: string): HeredocHead | null {
  const match = HEREDOC_WORD.exec(word);
  if (match === null) return null;
  const raw = match[3] ?? "";
  const name = unquote(raw);
  if (name === null || name === "") return null;
  return { name, expand: name === raw, chomp: match[2] === "-", fd: match[1] === "" ? 0 : Number(match[1]) };
}

/** The here-documents of an instruction's text, in order. */
export function heredocHeads(text: string, escape: string): HeredocHead[] {
  return shellWords(text, escape)
    .map(heredocHead)
    .filter((head) => head !== null);
}

/** Words divided at blanks that are neither quoted nor escaped; quotes and escapes stay. */
export function shellWords(text: string, escape: string): string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? "";
    if (char === escape && quote !== "'" && i + 1 < text.length) {
      word += char + (text[++i] ?? "");
    } else if (quote === "" && /\s/.test(char)) {
      if (word !== "") words.push(word);
      word = "";
    } else {
      if (quote === "" && (char === "'" || char === '"')) quote = char;
      else if (char === quote) quote = "";
      word += char;
    }
  }
  if (word !== "") words.push(word);
  return words;
}

/** Takes quotes off; null when the word is more than one word or its quotes do not match. */
function unquote(raw: string): string | null {
  let out = "";
  let quote = "";
  for (const char of raw) {
    if (quote === "" && (char === "'" || char === '"')) quote = char;
    else if (char === quote) quote = "";
    else if (quote === "" && /[\s$\\`]/.test(char)) return null;
    else out += char;
  }
  return quote === "" ? out : null;
}
