// Text from outside on a terminal: control characters could move the cursor, or write what nobody said.

/** The text without control and direction characters, at most `limit` long. */
export function printable(text: string, limit: number = 1000): string {
  return text.slice(0, limit).replace(/[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069]/gu, "\ufffd");
}
