// What push and attach of artifacts share: files with their types, annotations on the command line and from a file, the copy itself.

import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { TeuError } from "@teu/base/errors";
import { fileError } from "@teu/files/addon";
import { type ArtifactFile, type ArtifactOptions, openArtifact } from "@teu/image/artifact/build-artifact";
import { copyImage } from "@teu/image/transport/copy-image";
import { parseJson } from "@teu/specs/json";
import type { Descriptor } from "@teu/specs/image";
import type { CommandContext, CommandInput, OptionSpec } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { copyProgress } from "../output/copy-progress.ts";
import { wantsJson } from "../options/json-format.ts";
import { accessOf, ACCESS_OPTIONS } from "../transports/copy-options.ts";
import type { Places } from "../transports/open-place.ts";
import type { TransportName } from "../transports/transport-name.ts";

/** Flags of both. */
export const ARTIFACT_OPTIONS: readonly OptionSpec[] = [
  ...ACCESS_OPTIONS,
  { long: "annotation", short: "a", value: "key=value", repeat: true, help: "Annotation of the manifest" },
  {
    long: "annotation-file",
    value: "file",
    help: 'JSON: annotations of "$manifest", "$config" and of files by their names',
  },
  { long: "artifact-type", value: "type", help: "What the artifact is, as a media type" },
  { long: "config", value: "file[:type]", help: "File that becomes the config; without it the config is empty" },
  { long: "directory", short: "C", value: "dir", help: "Where the files are; names begin below it" },
  { long: "format", value: "string", help: '"json": say what was pushed as JSON' },
  { long: "quiet", short: "q", help: "Show only the digest" },
];

const ANNOTATIONS_LIMIT = 1 << 20;
/** Titles come from files' names. */
type Annotations = Readonly<Record<string, string>>;

/** Makes the artifact that the command line asks for and copies it to `place`. Returns the exit code. */
export async function pushArtifact(
  context: CommandContext,
  input: CommandInput,
  places: Places,
  place: TransportName,
  files: readonly string[],
  subject: Descriptor | undefined,
): Promise<number> {
  const json = wantsJson(input);
  const quiet = input.flag("quiet");
  const options = await artifactOptions(input, files, context.environment.temporary);
  if (subject === undefined) checkIsSomething(options);
  await using artifact = await openArtifact(context.scope, {
    ...options,
    ...(subject === undefined ? {} : { subject }),
  });
  const sink = await places.sink(place, accessOf(input));
  {
    using progress = copyProgress(context, quiet || json);
    await copyImage(context.scope, { source: artifact, sink, platform: "all", progress: progress.copied });
  }
  const { digest, mediaType, size } = artifact.descriptor;
  const { artifactType, layers } = artifact.manifest;
  if (json) {
    const what = {
      reference: sink.name,
      mediaType,
      digest,
      size,
      ...(artifactType === undefined ? {} : { artifactType }),
    };
    const about = subject === undefined ? {} : { subject: subject.digest };
    context.print(JSON.stringify({ ...what, ...about, files: layers.map(fileOf).filter((one) => one !== null) }));
  } else context.print(quiet ? digest : `Pushed: ${sink.name}\nDigest: ${digest}`);
  return 0;
}

function fileOf({ digest, size, mediaType, annotations }: Descriptor): object | null {
  const path = annotations?.["org.opencontainers.image.title"];
  return path === undefined ? null : { path, digest, size, mediaType };
}

function checkIsSomething({ files, artifactType, config }: ArtifactOptions): void {
  if (files.length > 0 || artifactType !== undefined || config !== undefined) return;
  const fallback = "name files, or say with --artifact-type what it is without any";
  throw usageError("there is nothing to push", { fallback });
}

/** @throws TeuError `invalid` (usage). */
async function artifactOptions(
  input: CommandInput,
  files: readonly string[],
  temporary: string,
): Promise<ArtifactOptions> {
  const directory = input.text("directory") ?? ".";
  const artifactType = input.text("artifact-type");
  const config = input.text("config");
  const listed = await annotationFile(input.text("annotation-file"));
  const annotations = { ...listed.get("$manifest"), ...Object.fromEntries(input.list("annotation").map(splitPair)) };
  return {
    files: files.map((text) => fileArgument(directory, text, listed)),
    temporary,
    annotations,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(config === undefined ? {} : { config: { ...typedFile(directory, config), ...annotated(listed, "$config") } }),
  };
}

function fileArgument(directory: string, text: string, listed: ReadonlyMap<string, Annotations>): ArtifactFile {
  const { path, name, mediaType } = typedFile(directory, text);
  return { path, name, ...(mediaType === undefined ? {} : { mediaType }), ...annotated(listed, name) };
}

function annotated(listed: ReadonlyMap<string, Annotations>, name: string): { readonly annotations?: Annotations } {
  const annotations = listed.get(name);
  return annotations === undefined ? {} : { annotations };
}

/** "FILE:TYPE"; a file whose name has a colon is found first. */
function typedFile(
  directory: string,
  text: string,
): { readonly path: string; readonly name: string; readonly mediaType?: string } {
  const colon = text.lastIndexOf(":");
  const whole = resolve(directory, text);
  if (colon <= 0 || existsSync(whole)) return { path: whole, name: text };
  const name = text.slice(0, colon);
  return { path: resolve(directory, name), name, mediaType: text.slice(colon + 1) };
}

function splitPair(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw usageError(`--annotation ${JSON.stringify(text)} is not KEY=VALUE`, {
    fallback: "write the key, =, the value",
  });
}

async function annotationFile(file: string | undefined): Promise<ReadonlyMap<string, Annotations>> {
  if (file === undefined) return new Map();
  const value = parseJson(await readSmall(file), { document: "annotations", maxLength: ANNOTATIONS_LIMIT });
  const found = new Map<string, Annotations>();
  for (const [name, entry] of Object.entries(tableIn(file, value))) {
    for (const one of Object.values(tableIn(file, entry))) if (typeof one !== "string") throw noAnnotations(file);
    found.set(name, entry as Annotations);
  }
  return found;
}

function tableIn(file: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw noAnnotations(file);
}

function noAnnotations(file: string): TeuError {
  return new TeuError({
    code: "invalid",
    op: "read annotations",
    subject: file,
    message: "it must be a table of tables of texts",
    hint: '{"$manifest": {"key": "value"}, "file.txt": {"key": "value"}}',
  });
}

async function readSmall(file: string): Promise<string> {
  try {
    await using handle = await open(file);
    const { size } = await handle.stat();
    if (size <= ANNOTATIONS_LIMIT) return await handle.readFile("utf8");
    const message = `${size} bytes, limit is ${ANNOTATIONS_LIMIT}`;
    throw new TeuError({ code: "exhausted", op: "read annotations", subject: file, message });
  } catch (error) {
    throw fileError("read annotations", file, error);
  }
}
