// A node:test reporter that writes one line of JSON: how many tests passed, failed and were skipped. Used beside the one people read.

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly todo: number;
}

interface TestEvent {
  readonly type: string;
  readonly data: { readonly file?: string; readonly counts?: Counts };
}

// Called by `node --test`, which wants a reporter as default export; it is the one of the project.
async function* countReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    // One summary per file, then one without a file for all.
    if (type !== "test:summary" || data.file !== undefined || data.counts === undefined) continue;
    const { passed, failed, cancelled, skipped, todo } = data.counts;
    yield `${JSON.stringify({ passed, failed: failed + cancelled, skipped: skipped + todo })}\n`;
  }
}

export { countReporter as default };
