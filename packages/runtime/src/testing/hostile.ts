// For property tests: documents that are nearly right, with hostile values in random places.
// portable: no host types here.

/** Texts that confuse readers: names every object has, path tricks, control characters, numbers in disguise. */
export const HOSTILE_TEXTS: readonly string[] = [
  "",
  "constructor",
  "__proto__",
  "rtoString",
  "valueOf",
  "hasOwnProperty",
  ".",
  "..",
  "/",
  "//",
  "/..",
  "/../../etc",
  "/proc/self/fd/3",
  "/proc/./self/../self/attr",
  "\0",
  "a\0b",
  "\n",
  "\ud800",
  "é".repeat(300),
  "a".repeat(5000),
  "/a".repeat(3000),
  "0x1",
  "1e3",
  "-1",
  "+1",
  " 1",
  "4294967295",
  "18446744073709551616",
  "ro=rw",
  "=",
  ",",
  "mode=",
  "rro",
  "idmap",
];

/** Values of the wrong type, or just outside of a range. */
export const HOSTILE_VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1.5,
  4_294_967_295,
  4_294_967_296,
  2 ** 53,
  2 ** 63,
  -(2 ** 63),
  1e308,
  [],
  {},
  [[]],
  [null],
  { path: "/x" },
  { type: "mount" },
];

/** One change to a document: which place (taken modulo their number), and what happens there. */
export interface Change {
  readonly place: number;
  readonly how: "replace" | "remove" | "double" | "rename";
  readonly value: unknown;
}

/** A copy of the document with the change made. */
export function applyChange(document: unknown, { place, how, value }: Change): unknown {
  const copy = clone(document);
  const places: { readonly holder: object; readonly key: string }[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    for (const key of Object.keys(node)) {
      places.push({ holder: node, key });
      visit((node as Record<string, unknown>)[key]);
    }
  };
  visit(copy);
  const chosen = places[place % Math.max(places.length, 1)];
  if (chosen === undefined) return value;
  const { holder, key } = chosen;
  const record = holder as Record<string, unknown>;
  const old = record[key];
  if (how === "replace") set(holder, key, value);
  else if (how === "double" && Array.isArray(holder)) holder.push(clone(old));
  else if (how === "rename" && !Array.isArray(holder)) set(holder, String(value), old);
  else if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete record[key];
  return copy;
}

// As JSON.parse does it: "__proto__" is a name like any other.
function set(holder: object, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}

function clone(document: unknown): unknown {
  return JSON.parse(JSON.stringify(document));
}
