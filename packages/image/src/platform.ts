// Platforms: this host's, as text, and which entry of an index suits one best (ranked as containerd does).

import { TeuError } from "@teu/base/errors";
import type { Descriptor, Platform } from "@teu/specs/image";

/** What Node calls an architecture, and what images do. */
const NODE_ARCHITECTURES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x64: ["amd64"],
  ia32: ["386"],
  arm64: ["arm64", "v8"],
  arm: ["arm", "v7"],
  ppc64: ["ppc64le"],
  s390x: ["s390x"],
  riscv64: ["riscv64"],
  loong64: ["loong64"],
  mips64el: ["mips64le"],
};

/** Characters of a platform's text. */
const LONGEST = 128;

/** What people call architectures. */
const ALIASES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  i386: ["386"],
  i686: ["386"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
};

const OSES = new Set([
  "linux",
  "windows",
  "darwin",
  "freebsd",
  "openbsd",
  "netbsd",
  "solaris",
  "illumos",
  "plan9",
  "wasip1",
]);

/** The platform of this machine. */
export function hostPlatform(): Platform {
  const [architecture, variant] = NODE_ARCHITECTURES[process.arch] ?? [process.arch];
  return makePlatform("linux", architecture, variant);
}

/**
 * Reads "os/arch/variant", "os/arch", "arch" or "os"; what is left out is the host's.
 * @throws TeuError `invalid`.
 */
export function parsePlatform(text: string): Platform {
  const parts = text.length > LONGEST ? [""] : text.toLowerCase().split("/");
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9][a-z0-9_.-]{0,39}$/.test(part))) {
    throw new TeuError({
      code: "invalid",
      op: "read platform",
      subject: text.slice(0, LONGEST),
      message: 'want "os/architecture" or "os/architecture/variant"',
    });
  }
  const host = hostPlatform();
  const [first = "", second, third] = parts;
  if (second !== undefined) return normal(first, second, third);
  if (OSES.has(first)) return makePlatform(first, host.architecture, host.variant);
  return normal("linux", first, undefined);
}

/** "linux/arm64/v8"; parts that are empty are left out. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return [os, architecture, ...(variant === undefined || variant === "" ? [] : [variant])].join("/");
}

/** What `platform` can run, best first: itself, older variants, then 32-bit. */
export function platformCandidates(platform: Platform): Platform[] {
  const wanted = normal(platform.os, platform.architecture, platform.variant);
  return architectureCandidates(wanted.architecture, wanted.variant).map(([architecture, variant]) =>
    makePlatform(wanted.os, architecture, variant),
  );
}

/** Whether both are one platform, however they are spelt. */
export function isSamePlatform(one: Platform, other: Platform): boolean {
  const [a, b] = [one, other].map(({ os, architecture, variant }) => formatPlatform(normal(os, architecture, variant)));
  return a === b;
}

/** Whether an image for `offered` runs on `platform`. */
export function platformMatches(platform: Platform, offered: Platform): boolean {
  return rank(platformCandidates(platform), offered) >= 0;
}

/**
 * The manifest in an index that suits `platform` best, the first of equals; null when none does. Entries for
 * unknown/unknown are attestations and never taken; one without a platform only when nothing else matches.
 */
export function choosePlatform(manifests: readonly Descriptor[], platform: Platform): Descriptor | null {
  const candidates = platformCandidates(platform);
  let best: Descriptor | null = null;
  let bestRank = Number.POSITIVE_INFINITY;
  for (const descriptor of manifests) {
    const found = descriptor.platform === undefined ? candidates.length : rank(candidates, descriptor.platform);
    if (found < 0 || found >= bestRank) continue;
    best = descriptor;
    bestRank = found;
  }
  return best;
}

function rank(candidates: readonly Platform[], offered: Platform): number {
  const { os, architecture, variant } = normal(offered.os, offered.architecture, offered.variant);
  return candidates.findIndex(
    (wanted) => wanted.os === os && wanted.architecture === architecture && wanted.variant === variant,
  );
}

type Pair = readonly [architecture: string, variant: string | undefined];

function architectureCandidates(architecture: string, variant: string | undefined): Pair[] {
  if (architecture === "amd64") {
    const level = levelOf(variant, 1, 1);
    if (level === null)
      return [
        [architecture, variant],
        ["386", undefined],
      ];
    return [...descend(level, 2).map((n): Pair => ["amd64", `v${n}`]), ["amd64", undefined], ["386", undefined]];
  }
  if (architecture === "arm64") return [...arm64Candidates(variant ?? "v8"), ...armCandidates(8)];
  if (architecture === "arm") {
    const level = levelOf(variant, 5, 7);
    return level === null ? [[architecture, variant]] : armCandidates(level);
  }
  return [[architecture, variant]];
}

/** The number of "v7"; null for a variant that is none from `lowest` on. At most two digits: as many candidates are made of it. */
function levelOf(variant: string | undefined, lowest: number, standard: number): number | null {
  if (variant === undefined) return standard;
  const level = Number(/^v([0-9]{1,2})$/.exec(variant)?.[1] ?? 0);
  return level < lowest ? null : level;
}

/** v9.x runs everything of v9.0..x and of v8.0..(x+5), which it includes. */
function arm64Candidates(variant: string): Pair[] {
  const match = /^v([89])(?:\.([0-9]{1,2}))?$/.exec(variant);
  if (match === null)
    return [
      ["arm64", variant],
      ["arm64", "v8"],
    ];
  const minor = Number(match[2] ?? 0);
  const nines = match[1] === "9" ? descend(minor, 0).map((n) => (n === 0 ? "v9" : `v9.${n}`)) : [];
  const eights = descend(match[1] === "9" ? minor + 5 : minor, 1).map((n) => `v8.${n}`);
  return [...nines, ...eights, "v8"].map((name): Pair => ["arm64", name]);
}

function armCandidates(level: number): Pair[] {
  return descend(level, 5).map((n): Pair => ["arm", `v${n}`]);
}

function descend(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, from - to + 1) }, (_, index) => from - index);
}

/** One spelling for each platform: amd64's v1, arm64's v8.0 and v9.0, arm without a variant. */
function normal(os: string, architecture: string, variant: string | undefined): Platform {
  const [name, implied] = ALIASES[architecture] ?? [architecture];
  const given = variant === "" || variant === undefined ? implied : /^[0-9]/.test(variant) ? `v${variant}` : variant;
  if (name === "amd64") return makePlatform(os, name, given === "v1" ? undefined : given);
  if (name === "arm64") return makePlatform(os, name, (given ?? "v8").replace(/\.0$/, ""));
  if (name === "arm") return makePlatform(os, name, given ?? "v7");
  return makePlatform(os, name, given);
}

function makePlatform(os: string, architecture: string, variant: string | undefined): Platform {
  return { architecture, os, ...(variant === undefined ? {} : { variant }) };
}
