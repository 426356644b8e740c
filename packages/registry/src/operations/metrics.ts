// Metrics in Prometheus' text format (0.0.4): counters, gauges and histograms with few labels. Labels never hold what clients send.

type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly lines: () => string[];
}

/** A number that only grows, one per set of labels. */
export interface Counter {
  add(labels?: Labels, by?: number): void;
}

/** How often what took how long, or was how large. */
export interface Histogram {
  observe(labels: Labels, value: number): void;
}

/** All metrics of one registry. */
export class Metrics {
  readonly #families: Family[] = [];

  counter(name: string, help: string): Counter {
    const values = new Map<string, number>();
    this.#families.push({ name, help, type: "counter", lines: () => samples(name, values) });
    return {
      add: (labels = {}, by = 1) => {
        const key = labelText(labels);
        values.set(key, (values.get(key) ?? 0) + by);
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

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const series = new Map<string, { readonly counts: number[]; sum: number; labels: Labels }>();
    const lines = (): string[] => [...series.values()].flatMap((one) => histogramLines(name, bounds, one));
    this.#families.push({ name, help, type: "histogram", lines });
    return {
      observe: (labels, value) => {
        const key = labelText(labels);
        let one = series.get(key);
        if (one === undefined) series.set(key, (one = { counts: [...bounds, 0].map(() => 0), sum: 0, labels }));
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
  bounds: readonly number[],
  { counts, sum, labels }: { readonly counts: readonly number[]; readonly sum: number; readonly labels: Labels },
): string[] {
  let total = 0;
  const buckets = counts.map((count, i) => {
    total += count;
    return `${name}_bucket${labelText({ ...labels, le: String(bounds[i] ?? "+Inf") })} ${total}`;
  });
  return [...buckets, `${name}_sum${labelText(labels)} ${sum}`, `${name}_count${labelText(labels)} ${total}`];
}

function samples(name: string, values: ReadonlyMap<string, number>): string[] {
  return [...values].map(([labels, value]) => `${name}${labels} ${value}`);
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`))}"`,
  );
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}
