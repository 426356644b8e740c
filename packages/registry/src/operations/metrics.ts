// Metrics in Prometheus' text format (0.0.4): counters, gauges and histograms with few labels. Labels never hold what clients send.
// Counting is part of every request, showing is not: text is made when somebody looks.

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly lines: () => string[];
}

/** A number that only grows, one for each combination of values of its labels. */
export interface Counter {
  /** `values` are in the order of the labels' names. */
  add(values: readonly string[], by?: number): void;
}

/** How often what took how long, or was how large. */
export interface Histogram {
  observe(values: readonly string[], value: number): void;
}

interface Series {
  readonly counts: number[];
  sum: number;
}

/** No label's value has it. */
const SEPARATOR = "\0";

/** All metrics of one registry. */
export class Metrics {
  readonly #families: Family[] = [];

  counter(name: string, help: string, labels: readonly string[]): Counter {
    const all = new Map<string, number>();
    const lines = (): string[] => [...all].map(([key, value]) => `${name}${labelText(labels, key)} ${value}`);
    this.#families.push({ name, help, type: "counter", lines });
    return {
      add: (values, by = 1) => {
        const key = values.join(SEPARATOR);
        all.set(key, (all.get(key) ?? 0) + by);
      },
    };
  }

  /** `read` is called when somebody looks. */
  gauge(name: string, help: string, read: () => number): void {
    this.#families.push({ name, help, type: "gauge", lines: () => [`${name} ${read()}`] });
  }

  /** A counter that is kept elsewhere. */
  counterOf(name: string, help: string, read: () => number): void {
    this.#families.push({ name, help, type: "counter", lines: () => [`${name} ${read()}`] });
  }

  histogram(name: string, help: string, labels: readonly string[], bounds: readonly number[]): Histogram {
    const all = new Map<string, Series>();
    const lines = (): string[] => [...all].flatMap(([key, one]) => histogramLines(name, labels, bounds, key, one));
    this.#families.push({ name, help, type: "histogram", lines });
    return {
      observe: (values, value) => {
        const key = values.join(SEPARATOR);
        let one = all.get(key);
        if (one === undefined) all.set(key, (one = { counts: [...bounds, 0].map(() => 0), sum: 0 }));
        const at = bounds.findIndex((bound) => value <= bound);
        const index = at < 0 ? bounds.length : at;
        one.counts[index] = (one.counts[index] ?? 0) + 1;
        one.sum += value;
      },
    };
  }

  /** The text. */
  text(): string {
    return this.#families
      .flatMap(({ name, help, type, lines }) => [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines()])
      .map((line) => `${line}\n`)
      .join("");
  }
}

function histogramLines(
  name: string,
  labels: readonly string[],
  bounds: readonly number[],
  key: string,
  { counts, sum }: Series,
): string[] {
  let total = 0;
  const buckets = counts.map((count, i) => {
    total += count;
    const bound = String(bounds[i] ?? "+Inf");
    return `${name}_bucket${labelText([...labels, "le"], `${key}${SEPARATOR}${bound}`)} ${total}`;
  });
  const text = labelText(labels, key);
  return [...buckets, `${name}_sum${text} ${sum}`, `${name}_count${text} ${total}`];
}

function labelText(labels: readonly string[], key: string): string {
  const values = key.split(SEPARATOR);
  const escaped = (value: string): string =>
    value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
  return `{${labels.map((label, i) => `${label}="${escaped(values[i] ?? "")}"`).join(",")}}`;
}
