// The Link header of paged answers (RFC 8288, as far as distribution-spec uses it): `</v2/...>; rel="next"`.

/** Prints the link to the next page. `query` values are encoded here, so nothing of a name can end the header. */
export function formatNextLink(path: string, query: Readonly<Record<string, string>>): string {
  return `<${path}?${new URLSearchParams(query).toString()}>; rel="next"`;
}

/** The target of `rel="next"`, relative or absolute as it came; null when there is none or the header is malformed. */
export function parseNextLink(header: string | undefined): string | null {
  if (header === undefined || header.length > 16_384) return null;
  let at = 0;
  while (at < header.length) {
    const open = header.indexOf("<", at);
    const close = open < 0 ? -1 : header.indexOf(">", open);
    if (close < 0) return null;
    const end = endOfParameters(header, close + 1);
    const parameters = header.slice(close + 1, end);
    if (/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=[\s;]|$))/i.test(parameters)) {
      const target = header.slice(open + 1, close).trim();
      // White space and control characters have no place in a URL; whoever sends them wants to be misread.
      return /^[\x21-\x7e]+$/.test(target) ? target : null;
    }
    at = end + 1;
  }
  return null;
}

// A comma outside quotes ends one link.
function endOfParameters(text: string, from: number): number {
  let quoted = false;
  for (let i = from; i < text.length; i++) {
    if (text[i] === "\\" && quoted) i++;
    else if (text[i] === '"') quoted = !quoted;
    else if (text[i] === "," && !quoted) return i;
  }
  return text.length;
}
