// The rights of a registry that was told no rules: everybody may do everything, or, with users, those and nobody else.

import { type ImmutableRule, RightsRules } from "../rights/rights-rules.ts";

/** What they depend on. */
export interface DefaultRulesOptions {
  /** Whether there is anything to log in to. */
  readonly login: boolean;
  /** Whether anybody may pull. */
  readonly anonymousPull: boolean;
  readonly immutable?: readonly ImmutableRule[];
}

/** Makes them. */
export function defaultRules({ login, anonymousPull, immutable = [] }: DefaultRulesOptions): RightsRules {
  const anonymous = anonymousPull ? (["read"] as const) : [];
  const rule = login ? { anonymous, authenticated: ["all"] as const } : { anonymous: ["all"] as const };
  return new RightsRules({ rules: [{ repositories: ["**"], ...rule }], immutable });
}
