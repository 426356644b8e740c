// What the demonstration shows: numbered steps with their times, the commands it runs, their output indented.

import { styleText } from "node:util";

/** Prints to one stream; colours follow NO_COLOR and whether it is a terminal. */
export class Screen {
  #step = 0;

  /** A line of its own. */
  line(text = ""): void {
    process.stdout.write(`${text}\n`);
  }

  /** Announces a step; its time is printed by `done`. */
  step(title: string): void {
    this.#step++;
    this.line(`\n${styleText("bold", `${this.#step}. ${title}`)}`);
  }

  /** The command that is being run, as a person would type it; `suffix` is shell syntax after it. */
  command(words: readonly string[], suffix = ""): void {
    this.line(`   ${styleText("dim", "$")} ${styleText("cyan", words.map(quoted).join(" ") + suffix)}`);
  }

  /** A piece of a program's output, each line indented. */
  output(text: string): void {
    for (const line of text.replace(/\n$/, "").split("\n")) this.line(`     ${styleText("dim", line)}`);
  }

  /** Ends a step: what came of it and how long it took. */
  done(result: string, milliseconds: number): void {
    this.line(`   ${styleText("green", "ok")} ${result} ${styleText("dim", `(${seconds(milliseconds)})`)}`);
  }

  /** Ends everything: what went wrong. */
  failed(text: string): void {
    this.line(`   ${styleText("red", "failed")} ${text}`);
  }
}

/** "0.12 s" */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
