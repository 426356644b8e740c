// The typed instructions of a Dockerfile: what the parsers in this folder make. Nothing is expanded yet.

import type { Healthcheck } from "@teu/specs/image";
import type { Heredoc } from "../heredoc.ts";
import type { CommandForm } from "../instruction-line.ts";
import type { Location } from "../location.ts";

/** What every instruction has. */
interface Common {
  readonly at: Location;
  /** As written, continuations joined. */
  readonly text: string;
}

/** FROM: the start of a stage. */
export interface FromInstruction extends Common {
  readonly kind: "from";
  readonly image: string;
  readonly platform?: string;
  /** Lower case. */
  readonly stage?: string;
}

/** RUN. */
export interface RunInstruction extends Common {
  readonly kind: "run";
  readonly command: CommandForm;
  readonly heredocs: readonly Heredoc[];
  /** `--mount` values as written. */
  readonly mounts: readonly string[];
  readonly network?: "default" | "none" | "host";
}

/** What COPY and ADD share. */
export interface FilesInstruction extends Common {
  readonly kind: "copy" | "add";
  /** Paths and patterns, here-document words left out. */
  readonly sources: readonly string[];
  readonly heredocs: readonly Heredoc[];
  readonly destination: string;
  /** COPY only: stage, stage number or image. */
  readonly from?: string;
  readonly chown?: string;
  readonly chmod?: string;
  readonly link: boolean;
  readonly parents: boolean;
  readonly exclude: readonly string[];
  /** ADD only; undefined: unpack local archives. */
  readonly unpack?: boolean;
}

/** ENV and LABEL. */
export interface PairsInstruction extends Common {
  readonly kind: "env" | "label";
  readonly pairs: readonly (readonly [name: string, value: string])[];
}

/** ARG. */
export interface ArgInstruction extends Common {
  readonly kind: "arg";
  readonly args: readonly { readonly name: string; readonly value?: string }[];
}

/** Instructions with one piece of text: WORKDIR, USER, STOPSIGNAL, MAINTAINER. */
export interface TextInstruction extends Common {
  readonly kind: "workdir" | "user" | "stopsignal" | "maintainer";
  readonly value: string;
}

/** CMD and ENTRYPOINT. */
export interface CommandInstruction extends Common {
  readonly kind: "cmd" | "entrypoint";
  readonly command: CommandForm;
}

/** Instructions with a list of words: EXPOSE, VOLUME, SHELL. */
export interface ListInstruction extends Common {
  readonly kind: "expose" | "volume" | "shell";
  readonly values: readonly string[];
}

/** HEALTHCHECK. */
export interface HealthcheckInstruction extends Common {
  readonly kind: "healthcheck";
  readonly healthcheck: Healthcheck;
}

/** ONBUILD: another instruction, kept as text for later builds. */
export interface OnbuildInstruction extends Common {
  readonly kind: "onbuild";
  readonly trigger: string;
}

/** Every instruction but FROM. */
export type Instruction =
  | RunInstruction
  | FilesInstruction
  | PairsInstruction
  | ArgInstruction
  | TextInstruction
  | CommandInstruction
  | ListInstruction
  | HealthcheckInstruction
  | OnbuildInstruction;
