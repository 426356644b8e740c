// Lists in all their forms: table, --format json or template (with or without "table"), --quiet.

import { columns } from "./table.ts";
import { compileTemplate, fixedFields } from "./template.ts";

/** A list to print: rows of named fields. */
export interface ListOutput {
  readonly rows: readonly Readonly<Record<string, string>>[];
  /** Columns of the default table: field and heading. */
  readonly table: readonly (readonly [field: string, heading: string])[];
  /** Headings of fields that only formats show; default: the field's name in capitals. */
  readonly headings?: Readonly<Record<string, string>>;
  readonly quietField: string;
}

/** Lines to print. `format` as given to --format. */
export function listLines(
  list: ListOutput,
  options: { readonly format: string | undefined; readonly quiet: boolean },
): string[] {
  if (options.quiet) return list.rows.map((row) => row[list.quietField] ?? "");
  const { format } = options;
  if (format === "json") return list.rows.map((row) => JSON.stringify(row));
  if (format === undefined || format === "table") {
    return columns([
      list.table.map(([, heading]) => heading),
      ...list.rows.map((row) => list.table.map(([field]) => row[field] ?? "")),
    ]);
  }
  const asTable = /^table\s/.test(format);
  const source = (asTable ? format.slice(6) : format).replaceAll("\\t", "\t").replaceAll("\\n", "\n");
  const template = compileTemplate(source);
  const lines = list.rows.map((row) => template(fixedFields({ ...row })));
  if (!asTable) return lines;
  const known = new Map(list.table);
  const names = new Set([
    ...list.table.map(([field]) => field),
    ...list.rows.flatMap((row) => Object.keys(row)),
    ...Object.keys(list.headings ?? {}),
  ]);
  const headings = Object.fromEntries(
    [...names].map((field) => [field, known.get(field) ?? list.headings?.[field] ?? field.toUpperCase()]),
  );
  return columns([template(headings), ...lines].map((line) => line.split("\t")));
}
