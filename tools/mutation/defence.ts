// What a defence is, to whoever takes it away.

/** What notices that a defence is gone. */
export type Killer =
  | {
      /** Name of a black-box case of conformance/runtime. */
      readonly case: string;
    }
  | {
      /** Path of a test file. */
      readonly test: string;
      /** Name of its test. */
      readonly name: string;
    };

/** One defence. */
export interface Defence {
  readonly name: string;
  /** CVE or attack. */
  readonly against: string;
  /** What it does, in a few words. */
  readonly what: string;
  /** Path below the checkout. */
  readonly file: string;
  /** Texts, each there exactly once, and what takes their places. More than one where a second defence stands right behind. */
  readonly changes: readonly (readonly [find: string, replace: string])[];
  readonly kill: Killer;
  /** false: the program is also built without protecting its own file. */
  readonly seal?: false;
}
