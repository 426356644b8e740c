// Which renames rotate a log: container.log -> container.log.1 -> ... as Docker's json-file driver names them. Pure.
// portable: no host types here.

/** One step; a missing source is fine. */
export type RotationStep =
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "rename"; readonly from: string; readonly to: string };

/** Steps, in order, after which `path` is free and at most `maxFiles - 1` older files are left. */
export function rotationPlan(path: string, maxFiles: number): RotationStep[] {
  const name = (age: number): string => (age === 0 ? path : `${path}.${age}`);
  const oldest = maxFiles - 1;
  const steps: RotationStep[] = [{ kind: "remove", path: name(oldest) }];
  for (let age = oldest - 1; age >= 0; age--) steps.push({ kind: "rename", from: name(age), to: name(age + 1) });
  return steps;
}
