// Where a run of output must be cut so that no log line is longer than 16 KiB: Docker's limit, which log readers count on. Pure.
// portable: no host types here.

/** Bytes of one log line at most, its newline included. */
export const LINE_LIMIT = 16_384;

const NEWLINE = 10;

/** The cuts of `data`, and how much of it is settled. */
export interface LineCuts {
  /** Ends of segments in which every line is whole and short enough; ascending. */
  readonly ends: readonly number[];
  /** From here on it is the beginning of a line that has not ended and is below the limit. */
  readonly rest: number;
}

/** Cuts output that begins at the beginning of a line. Few native searches for each 16 KiB, whatever the lines are. */
export function cutLines(data: Uint8Array, limit: number = LINE_LIMIT): LineCuts {
  const ends: number[] = [];
  let from = 0;
  while (data.length - from > limit) {
    const newline = data.lastIndexOf(NEWLINE, from + limit - 1);
    if (newline >= from) {
      from = newline + 1;
      continue;
    }
    from = characterBoundary(data, from, from + limit);
    ends.push(from);
  }
  const last = data.length > from ? data.lastIndexOf(NEWLINE) : -1;
  const rest =
    last >= from ? last + 1 : data.length - from === limit ? characterBoundary(data, from, data.length) : from;
  if (rest > (ends.at(-1) ?? 0)) ends.push(rest);
  return { ends, rest };
}

// `end`, or up to three bytes before it, so that no UTF-8 sequence is torn. Bytes that are not UTF-8 are cut where they are.
function characterBoundary(data: Uint8Array, start: number, end: number): number {
  for (let back = 1; back <= 4 && end - back > start; back++) {
    const byte = data[end - back] ?? 0;
    if (byte < 0x80 || byte >= 0xf8) return end;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? end - back : end;
  }
  return end;
}
