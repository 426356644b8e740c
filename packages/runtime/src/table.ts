// Tables that are asked for names from outside.
// portable: no host types here.

/** The entries without a prototype: a document's "constructor" or "__proto__" must not find what every object has. */
export function table<T>(entries: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.assign(Object.create(null) as Record<string, T>, entries);
}
