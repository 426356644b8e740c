// A build's events for people: plain lines in BuildKit's manner (#3 0.120 text), or a live view with clocks on a terminal.

import type { BuildEvent } from "@teu/builder/progress/build-event";
import { StringDecoder } from "node:string_decoder";
import { LiveLines } from "./live-lines.ts";

/** Takes build events. */
export interface BuildProgress extends Disposable {
  event(event: BuildEvent): void;
}

/** "auto": live on a terminal, else plain. */
export function buildProgress(
  stream: NodeJS.WriteStream,
  kind: "auto" | "plain" | "tty" | "quiet" | "rawjson",
  dumb: boolean,
): BuildProgress {
  if (kind === "quiet") return { event: () => {}, [Symbol.dispose]: () => {} };
  if (kind === "rawjson") return new RawJsonProgress(stream);
  return kind === "tty" || (kind === "auto" && stream.isTTY && !dumb) ? new LiveBuild(stream) : new PlainBuild(stream);
}

class RawJsonProgress implements BuildProgress {
  readonly #stream: NodeJS.WriteStream;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  event(event: BuildEvent): void {
    this.#stream.write(
      `${JSON.stringify(event.kind === "output" ? { ...event, data: Buffer.from(event.data).toString("base64") } : event)}\n`,
    );
  }

  [Symbol.dispose](): void {}
}

interface Step {
  readonly name: string;
  readonly started: number;
  readonly decoder: StringDecoder;
  rest: string;
}

class PlainBuild implements BuildProgress {
  readonly #stream: NodeJS.WriteStream;
  readonly #steps = new Map<number, Step>();
  #lastId = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  event(event: BuildEvent): void {
    if (event.kind === "started") {
      this.#steps.set(event.id, {
        name: event.name,
        started: event.time,
        decoder: new StringDecoder("utf8"),
        rest: "",
      });
      this.#gap(event.id);
      this.#stream.write(`#${event.id} ${event.name}\n`);
      return;
    }
    const step = this.#steps.get(event.id);
    if (step === undefined) return;
    if (event.kind === "message") this.#line(event.id, event.text);
    else if (event.kind === "output") this.#output(event, step);
    else this.#ended(event, step);
  }

  [Symbol.dispose](): void {}

  #output(event: Extract<BuildEvent, { kind: "output" }>, step: Step): void {
    const lines = (step.rest + step.decoder.write(Buffer.from(event.data))).split("\n");
    step.rest = lines.pop() ?? "";
    for (const line of lines)
      this.#line(event.id, `${seconds(event.time - step.started, 3)} ${lastOfCarriageReturns(line)}`);
  }

  #ended(event: Extract<BuildEvent, { kind: "ended" }>, step: Step): void {
    if (step.rest !== "")
      this.#line(event.id, `${seconds(event.time - step.started, 3)} ${lastOfCarriageReturns(step.rest)}`);
    const words = {
      done: `DONE ${seconds(event.time - step.started, 1)}s`,
      cached: "CACHED",
      failed: `ERROR: ${event.error ?? ""}`,
      cancelled: "CANCELED",
    };
    this.#line(event.id, words[event.outcome]);
    this.#lastId = 0;
    this.#stream.write("\n");
  }

  #line(id: number, text: string): void {
    this.#gap(id);
    this.#stream.write(`#${id} ${text}\n`);
  }

  /** A blank line and the step's name when another step spoke last. */
  #gap(id: number): void {
    if (this.#lastId !== 0 && this.#lastId !== id) this.#stream.write("\n");
    this.#lastId = id;
  }
}

const TAIL_LINES = 6;

interface LiveStep {
  readonly name: string;
  readonly started: number;
  ended: number | null;
  outcome: Extract<BuildEvent, { kind: "ended" }>["outcome"] | null;
  readonly decoder: StringDecoder;
  tail: string[];
  rest: string;
}

class LiveBuild implements BuildProgress {
  readonly #steps = new Map<number, LiveStep>();
  readonly #lines: LiveLines;
  #first: number | null = null;

  constructor(stream: NodeJS.WriteStream) {
    this.#lines = new LiveLines(stream, () => this.#render(Date.now()), { ticking: true });
  }

  event(event: BuildEvent): void {
    this.#first ??= event.time;
    if (event.kind === "started") {
      this.#steps.set(event.id, {
        name: event.name,
        started: event.time,
        ended: null,
        outcome: null,
        decoder: new StringDecoder("utf8"),
        tail: [],
        rest: "",
      });
      return this.#lines.changed();
    }
    const step = this.#steps.get(event.id);
    if (step === undefined) return;
    if (event.kind === "ended") [step.ended, step.outcome] = [event.time, event.outcome];
    else if (event.kind === "message") step.tail.push(event.text);
    else {
      const lines = (step.rest + step.decoder.write(Buffer.from(event.data))).split("\n");
      step.rest = lines.pop() ?? "";
      step.tail.push(...lines.map(lastOfCarriageReturns));
    }
    step.tail = step.tail.slice(-TAIL_LINES);
    this.#lines.changed();
  }

  [Symbol.dispose](): void {
    this.#lines[Symbol.dispose]();
  }

  #render(now: number): string[] {
    const steps = [...this.#steps.values()];
    const ended = steps.filter((step) => step.ended !== null).length;
    const running = ended < steps.length;
    const head = `[+] Building ${seconds((running ? now : Math.max(...steps.map((step) => step.ended ?? 0), 0)) - (this.#first ?? now), 1)}s (${ended}/${steps.length})${running ? "" : " FINISHED"}`;
    return [head, ...steps.flatMap((step) => stepLines(step, now))];
  }
}

function stepLines(step: LiveStep, now: number): string[] {
  const mark =
    step.outcome === "cached"
      ? "CACHED "
      : step.outcome === "failed"
        ? "ERROR "
        : step.outcome === "cancelled"
          ? "CANCELED "
          : "";
  const line = ` => ${mark}${step.name}`.padEnd(70) + `${seconds((step.ended ?? now) - step.started, 1)}s`.padStart(7);
  const tail = step.outcome === null ? step.tail.map((text) => ` => => # ${text}`) : [];
  return [line, ...tail];
}

/** What a terminal would show of a line that rewrites itself. */
function lastOfCarriageReturns(line: string): string {
  return line.replace(/\r+$/, "").split("\r").at(-1) ?? "";
}

function seconds(milliseconds: number, digits: number): string {
  return (Math.max(0, milliseconds) / 1000).toFixed(digits);
}
