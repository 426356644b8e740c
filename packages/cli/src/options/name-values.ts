// NAME=value lists: --env, --env-file, --label, --label-file, --build-arg.

import { readFile } from "node:fs/promises";
import { fileError } from "@teu/files/addon";
import { usageError } from "../grammar/usage-error.ts";

/** Environment for a container: files first, then flags. A bare NAME takes the value from here, and is left out when unset. */
export async function readEnv(
  values: readonly string[],
  files: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string[]> {
  const lines = (await Promise.all(files.map(readLines))).flat();
  return [...lines, ...values].flatMap((text) => {
    if (text.startsWith("=") || text === "")
      throw usageError(`the variable ${JSON.stringify(text)} has no name`, { fallback: "write NAME=value" });
    if (text.includes("=")) return [text];
    return env[text] === undefined ? [] : [`${text}=${env[text]}`];
  });
}

/** Labels; one without "=" is empty. */
export async function readLabels(values: readonly string[], files: readonly string[]): Promise<Record<string, string>> {
  const lines = (await Promise.all(files.map(readLines))).flat();
  return Object.fromEntries([...lines, ...values].map(splitPair));
}

/** Build arguments: a bare NAME takes the value from here, and is left out when unset. */
export function readBuildArgs(
  values: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const pairs = values.flatMap((text) => {
    if (text.includes("=")) return [splitPair(text)];
    const value = env[text];
    return value === undefined ? [] : [[text, value] as [string, string]];
  });
  return Object.fromEntries(pairs);
}

function splitPair(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals === 0 || text === "")
    throw usageError(`${JSON.stringify(text)} has no name`, { fallback: "write name=value" });
  return equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
}

async function readLines(path: string): Promise<string[]> {
  try {
    const text = await readFile(path, "utf8");
    return text
      .split(/\r?\n/)
      .map((line) => line.trimStart())
      .filter((line) => line !== "" && !line.startsWith("#"));
  } catch (error) {
    throw fileError("read file", path, error);
  }
}
