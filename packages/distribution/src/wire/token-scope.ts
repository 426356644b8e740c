// Scopes of registry tokens: "repository:library/busybox:pull,push", "registry:catalog:*".
// A name may hold a port and so a colon: type and actions are cut from the two ends.

/** What a token is for. */
export interface TokenScope {
  /** "repository" or "registry". */
  readonly type: string;
  readonly name: string;
  /** "pull", "push", "delete", "*". */
  readonly actions: readonly string[];
}

/** Reads one scope; null when it is malformed. */
export function parseTokenScope(text: string): TokenScope | null {
  const first = text.indexOf(":");
  const last = text.lastIndexOf(":");
  if (first <= 0 || last <= first + 1) return null;
  const type = text.slice(0, first);
  const name = text.slice(first + 1, last);
  const actions = text
    .slice(last + 1)
    .split(",")
    .filter((action) => action !== "");
  if (!/^[a-z0-9]+(?:\([a-z0-9]+\))?$/.test(type) || !/^[\x21-\x7e]+$/.test(name)) return null;
  return { type, name, actions };
}

/** Prints a scope, actions sorted so that equal scopes have equal texts. */
export function formatTokenScope(scope: TokenScope): string {
  return `${scope.type}:${scope.name}:${[...new Set(scope.actions)].sort().join(",")}`;
}
