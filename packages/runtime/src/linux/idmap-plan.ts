// Which ids an idmapped mount shows (runtime-spec, "Mounts": uidMappings, gidMappings, idmap, ridmap; crun's "idmap=uids=..;gids=..").
// Each range says: from this id in the file system, on to that id on the host, so many. Pure.
// portable: no host types here.

import type { IdMapping, Mount, Spec } from "@teu/specs/runtime";
import { invalidConfig } from "../failure.ts";
import type { MountOptions } from "./mount-options.ts";

/** The mapping of one mount. */
export interface IdmapPlan {
  /** Everything that is mounted below it too. */
  readonly recursive: boolean;
  /** Ranges for a user namespace of its own, or the file of the container's, which exists already. */
  readonly maps: IdMaps | string;
}

/** As the files uid_map and gid_map take them. */
export interface IdMaps {
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
}

/** The mapping of a mount; null without one. Throws TeuError `invalid` when there is half of one, or none to be had. */
export function planIdmap(spec: Spec, mount: Mount, options: MountOptions, at: string): IdmapPlan | null {
  const { uidMappings = [], gidMappings = [] } = mount;
  const own = uidMappings.length > 0 || gidMappings.length > 0;
  // Mappings without the option are from before the option was in the spec; ignored, they would show the wrong owners.
  if (options.idmap === "" && !own) return null;
  const recursive = options.idmap === "ridmap";
  if (options.idmapText !== "") {
    if (own) throw invalidConfig(`${at}.options`, "idmap= is given, and so are uidMappings and gidMappings");
    return { recursive, maps: parseMaps(options.idmapText, spec, `${at}.options`) };
  }
  if (!own) return { recursive, maps: containerMaps(spec, at) };
  if (uidMappings.length === 0 || gidMappings.length === 0)
    throw invalidConfig(at, "an idmapped mount needs both uidMappings and gidMappings");
  return { recursive, maps: { uidMappings, gidMappings } };
}

/** Those of the container's own user namespace. */
function containerMaps({ linux }: Spec, at: string): IdMaps | string {
  const user = (linux?.namespaces ?? []).find(({ type }) => type === "user");
  if (user === undefined)
    throw invalidConfig(
      `${at}.options`,
      "idmap without uidMappings and gidMappings takes the container's, which has no user namespace",
    );
  if ((user.path ?? "") !== "") return user.path ?? "";
  return { uidMappings: linux?.uidMappings ?? [], gidMappings: linux?.gidMappings ?? [] };
}

/** crun's "uids=0-1-10#10-11-10;gids=@0-100-10": file system id, host id, count; "@": the second is one of the container's. */
function parseMaps(text: string, { linux }: Spec, at: string): IdMaps {
  const parts = new Map<string, readonly IdMapping[]>();
  for (const part of text.split(";")) {
    const equals = part.indexOf("=");
    const name = part.slice(0, Math.max(equals, 0));
    if ((name !== "uids" && name !== "gids") || parts.has(name))
      throw invalidConfig(at, `idmap=${text}: want uids=RANGES;gids=RANGES`);
    const container = (name === "uids" ? linux?.uidMappings : linux?.gidMappings) ?? [];
    parts.set(
      name,
      part
        .slice(equals + 1)
        .split("#")
        .map((range) => parseRange(range, container, at)),
    );
  }
  const uidMappings = parts.get("uids") ?? [];
  const gidMappings = parts.get("gids") ?? [];
  if (uidMappings.length === 0 || gidMappings.length === 0)
    throw invalidConfig(at, `idmap=${text}: want both uids= and gids=`);
  return { uidMappings, gidMappings };
}

function parseRange(text: string, container: readonly IdMapping[], at: string): IdMapping {
  const numbers = /^(@?)(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(text);
  const [, relative = "", first, second, count] = numbers ?? [];
  const [containerID, hostID, size] = [Number(first), Number(second), Number(count)];
  if (numbers === null || size < 1 || [containerID, hostID, containerID + size, hostID + size].some((n) => n > NO_ID))
    throw invalidConfig(at, `idmap range ${JSON.stringify(text)}: want FIRST-HOST-COUNT`);
  if (relative === "") return { containerID, hostID, size };
  const range = container.find((one) => hostID >= one.containerID && hostID + size <= one.containerID + one.size);
  if (range === undefined)
    throw invalidConfig(at, `idmap range ${JSON.stringify(text)} is not inside one range of the container's mappings`);
  return { containerID, hostID: hostID - range.containerID + range.hostID, size };
}

/** (uid_t) -1 is no id. */
const NO_ID = 4294967295;
