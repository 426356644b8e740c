// Turns the texts a runtime is given (config.json, process.json, resources.json, a state) into typed values, once, here.
// Syntax and schema only: whether this host can do what the document asks is decided where it is done.
// portable: no host types here.

import type { LinuxResources, Process, Spec, State } from "./runtime.ts";
import * as gen from "./gen/runtime.ts";
import { parseJson, type StrictCheck } from "./json.ts";
import { type Validator, validated } from "./validation.ts";

// Characters. Real documents with a long system call filter have about 60,000.
const LIMIT = 4 << 20;

/**
 * Reads config.json; any ociVersion 1.x is taken, unknown members stay.
 * @throws TeuError `invalid`, naming path and value.
 */
export function parseSpec(text: string, isStrict?: StrictCheck): Spec {
  return read(text, "config.json", gen.spec, isStrict);
}

/** Reads the file of `exec --process`. @throws TeuError `invalid`, naming path and value. */
export function parseProcess(text: string, isStrict?: StrictCheck): Process {
  return read(text, "process", gen.process, isStrict);
}

/** Reads the file of `update --resources`. @throws TeuError `invalid`, naming path and value. */
export function parseResources(text: string): LinuxResources {
  return read(text, "resources", gen.resources);
}

/** Reads what `state` prints. @throws TeuError `invalid`, naming path and value. */
export function parseState(text: string): State {
  return read(text, "state", gen.state);
}

function read<T>(text: string, document: string, validate: Validator, isStrict?: StrictCheck): T {
  const limits = { document, maxLength: LIMIT, ...(isStrict === undefined ? {} : { isStrict }) };
  return validated<T>(parseJson(text, limits), document, validate);
}
