// Which entry of an index fits a platform: candidates from the exact platform to older variants that it can run,
// ranked as containerd does it; among equals the first entry of the index.

import type { Descriptor, Platform } from "@teu/specs/image";

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "amd64",
  ia32: "386",
  arm: "arm",
  arm64: "arm64",
  ppc64: "ppc64le",
  riscv64: "riscv64",
  s390x: "s390x",
};
const ALIASES: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
  i386: "386",
  i686: "386",
  armhf: "arm",
  armel: "arm",
};

/** The platform of this machine. */
export function hostPlatform(): Platform {
  return { os: "linux", architecture: ARCHITECTURES[process.arch] ?? process.arch };
}

/** The entry to take for a platform; null when there is none. Attestations ("unknown/unknown") are never taken. */
export function choosePlatform<T extends Pick<Descriptor, "platform">>(
  entries: readonly T[],
  wanted: Platform,
): T | null {
  for (const candidate of candidates(normal(wanted))) {
    const found = entries.find(({ platform }) => platform !== undefined && fits(normal(platform), candidate));
    if (found !== undefined) return found;
  }
  return null;
}

/** "linux/arm64/v8", as people write it. */
export function platformText(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant]
    .filter((part) => part !== undefined && part !== "")
    .join("/");
}

interface Candidate {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
  readonly osVersion: string | undefined;
}

function candidates(wanted: Candidate): Candidate[] {
  const { architecture, variant } = wanted;
  const of = (other: string, ...variants: readonly string[]): Candidate[] =>
    variants.map((one) => ({ ...wanted, architecture: other, variant: one }));
  if (architecture === "amd64") return [...of("amd64", ...downFrom(variant, 1)), ...of("386", "")];
  if (architecture === "arm") return of("arm", ...downFrom(variant, 5));
  if (architecture === "arm64")
    return [...of("arm64", ...arm64Variants(variant)), ...of("arm", "v8", "v7", "v6", "v5")];
  return [wanted];
}

// v9.x runs what v8.(x+5) runs, and everything below it.
function arm64Variants(variant: string): string[] {
  const match = /^v([89])(?:\.(\d))?$/.exec(variant);
  if (match === null) return [variant];
  const minor = Number(match[2] ?? "0");
  const nine = match[1] === "9" ? steps("v9", minor) : [];
  const eight = steps("v8", match[1] === "9" ? Math.min(minor + 5, 9) : minor);
  return [...nine, ...eight];
}

function steps(major: string, from: number): string[] {
  return Array.from({ length: from + 1 }, (_, i) => (from - i === 0 ? major : `${major}.${from - i}`));
}

function downFrom(variant: string, least: number): string[] {
  const match = /^v(\d)$/.exec(variant);
  if (match === null) return [variant];
  return Array.from({ length: Math.max(0, Number(match[1]) - least) + 1 }, (_, i) => `v${Number(match[1]) - i}`);
}

function fits(platform: Candidate, candidate: Candidate): boolean {
  return (
    platform.os === candidate.os &&
    platform.architecture === candidate.architecture &&
    platform.variant === candidate.variant &&
    (candidate.osVersion === undefined ||
      platform.osVersion === undefined ||
      platform.osVersion === candidate.osVersion)
  );
}

// What a missing variant means: amd64 is v1, arm is v7, arm64 is v8.
function normal(platform: Platform): Candidate {
  const given = platform.architecture.toLowerCase();
  const architecture = ALIASES[given] ?? given;
  const implied =
    given === "armel"
      ? "v6"
      : (({ amd64: "v1", arm: "v7", arm64: "v8" } as Record<string, string>)[architecture] ?? "");
  const variant =
    platform.variant === undefined || platform.variant === "" ? implied : platform.variant.replace(/^(?=\d)/, "v");
  return { os: platform.os.toLowerCase(), architecture, variant, osVersion: platform["os.version"] };
}
