// Pull access to a tar stream: entry after entry, each with its content as a stream. For archives of few, large members
// (saved images); unpacking trees uses TarReader directly.

import type { Scope } from "@teu/base/scope";

import type { TarEntry } from "./entry.ts";
import { type TarLimits, TarReader } from "./reader.ts";

/** One member. `content` is valid until the next member is asked for; what is not read of it is skipped. */
export interface TarMember {
  readonly entry: TarEntry;
  readonly content: AsyncIterable<Uint8Array>;
}

type Event = { entry: TarEntry } | { data: Uint8Array } | { end: true };

/**
 * The members of a tar, in order. Sparse files come without their holes, so only ordinary files should be read.
 * @throws TeuError as `TarReader`.
 */
export async function* tarMembers(
  scope: Scope,
  source: AsyncIterable<Uint8Array>,
  limits: TarLimits = {},
): AsyncIterable<TarMember> {
  const events = tarEvents(scope, source, limits);
  try {
    for (;;) {
      const { done, value } = await events.next();
      if (done === true) return;
      if (!("entry" in value)) continue;
      const content = new MemberContent(events);
      yield { entry: value.entry, content };
      await content.skip();
    }
  } finally {
    await events.return(undefined);
  }
}

async function* tarEvents(
  scope: Scope,
  source: AsyncIterable<Uint8Array>,
  limits: TarLimits,
): AsyncGenerator<Event, undefined> {
  let queue: Event[] = [];
  const reader = new TarReader(
    {
      entry: (entry) => void queue.push({ entry }),
      // Valid during the call only: but the chunks given to us are not reused, so views of them stay good.
      data: (data) => void queue.push({ data }),
      endEntry: () => void queue.push({ end: true }),
    },
    limits,
  );
  for await (const chunk of source) {
    scope.check("read archive");
    reader.write(chunk);
    const events = queue;
    queue = [];
    yield* events;
  }
  reader.end();
  return undefined;
}

class MemberContent implements AsyncIterable<Uint8Array> {
  readonly #events: AsyncGenerator<Event, undefined>;
  #ended = false;

  constructor(events: AsyncGenerator<Event, undefined>) {
    this.#events = events;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (let chunk = await this.#next(); chunk !== null; chunk = await this.#next()) yield chunk;
  }

  async skip(): Promise<void> {
    while ((await this.#next()) !== null);
  }

  async #next(): Promise<Uint8Array | null> {
    if (this.#ended) return null;
    const { done, value } = await this.#events.next();
    if (done !== true && "data" in value) return value.data;
    this.#ended = true;
    return null;
  }
}
