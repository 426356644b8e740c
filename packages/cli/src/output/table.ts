// Tables as Docker prints them: left-aligned columns, three blanks between, no lines.

/** Pads all columns but the last to their widest cell plus `gap`. Line ends carry no blanks. */
export function columns(rows: readonly (readonly string[])[], gap = 3): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, displayWidth(cell));
  }
  return rows.map((row) =>
    row
      .map((cell, index) =>
        index === row.length - 1 ? cell : cell + " ".repeat((widths[index] ?? 0) + gap - displayWidth(cell)),
      )
      .join("")
      .trimEnd(),
  );
}

/** Characters on the terminal, near enough: combining marks none, East Asian wide ones two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const char of text) {
    const point = char.codePointAt(0) ?? 0;
    if (point >= 0x300 && point <= 0x36f) continue;
    width +=
      (point >= 0x1100 && point <= 0x115f) ||
      (point >= 0x2e80 && point <= 0xa4cf) ||
      (point >= 0xac00 && point <= 0xd7a3) ||
      (point >= 0xf900 && point <= 0xfaff) ||
      (point >= 0xff00 && point <= 0xff60) ||
      point >= 0x1f300
        ? 2
        : 1;
  }
  return width;
}

/** Shortens to `width` characters with an ellipsis. */
export function ellipsis(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
