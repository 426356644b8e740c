// The device access list as an eBPF program of type CGROUP_DEVICE, for cgroup v2. Instructions as in bpf(2) and linux/bpf.h.
// The last rule that matches decides, so the rules are tested from the last to the first; no match: denied.
// portable: no host types here.

import type { AccessRule } from "./device-rules.ts";

const LOAD_WORD = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const MOVE = 0xb4; // BPF_ALU | BPF_MOV | BPF_K (32 bit)
const MOVE_REGISTER = 0xbc; // BPF_ALU | BPF_MOV | BPF_X
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const SHIFT_RIGHT = 0x74; // BPF_ALU | BPF_RSH | BPF_K
const JUMP_UNEQUAL = 0x56; // BPF_JMP32 | BPF_JNE | BPF_K
const JUMP_UNEQUAL_REGISTER = 0x5e; // BPF_JMP32 | BPF_JNE | BPF_X
const EXIT = 0x95;

const TYPE_BLOCK = 1;
const TYPE_CHAR = 2;
const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };

interface Instruction {
  readonly code: number;
  readonly to: number;
  readonly from: number;
  readonly offset: number;
  readonly value: number;
}

const instruction = (code: number, to: number, from: number, offset: number, value: number): Instruction => ({
  code,
  to,
  from,
  offset,
  value,
});

/** The instructions, 8 bytes each, little endian. */
export function deviceProgram(rules: readonly AccessRule[]): Uint8Array {
  // struct bpf_cgroup_dev_ctx { u32 access_type; u32 major; u32 minor }: type in the low half of access_type, access in the high one.
  const out: Instruction[] = [
    instruction(LOAD_WORD, 2, 1, 0, 0),
    instruction(AND, 2, 0, 0, 0xffff),
    instruction(LOAD_WORD, 3, 1, 0, 0),
    instruction(SHIFT_RIGHT, 3, 0, 0, 16),
    instruction(LOAD_WORD, 4, 1, 4, 0),
    instruction(LOAD_WORD, 5, 1, 8, 0),
  ];
  for (const rule of rules.toReversed()) {
    out.push(...ruleInstructions(rule));
    // Whatever stands before a rule for everything can never decide.
    if (matchesAll(rule)) return encode(out);
  }
  out.push(instruction(MOVE, 0, 0, 0, 0), instruction(EXIT, 0, 0, 0, 0));
  return encode(out);
}

function matchesAll(rule: AccessRule): boolean {
  return rule.type === "a" && rule.major < 0 && rule.minor < 0 && accessBits(rule) === 7;
}

function accessBits(rule: AccessRule): number {
  let bits = 0;
  for (const letter of rule.access) bits |= ACCESS[letter] ?? 0;
  return bits;
}

function ruleInstructions(rule: AccessRule): Instruction[] {
  const tests: Instruction[] = [];
  const bits = accessBits(rule);
  if (rule.type !== "a") tests.push(instruction(JUMP_UNEQUAL, 2, 0, 0, rule.type === "b" ? TYPE_BLOCK : TYPE_CHAR));
  if (bits !== 7) {
    // Every wanted access must be in the rule's: (wanted & rule) == wanted.
    tests.push(
      instruction(MOVE_REGISTER, 1, 3, 0, 0),
      instruction(AND, 1, 0, 0, bits),
      instruction(JUMP_UNEQUAL_REGISTER, 1, 3, 0, 0),
    );
  }
  if (rule.major >= 0) tests.push(instruction(JUMP_UNEQUAL, 4, 0, 0, rule.major));
  if (rule.minor >= 0) tests.push(instruction(JUMP_UNEQUAL, 5, 0, 0, rule.minor));
  const end = tests.length + 2;
  const jumps = tests.map((test, index) =>
    test.code === JUMP_UNEQUAL || test.code === JUMP_UNEQUAL_REGISTER ? { ...test, offset: end - index - 1 } : test,
  );
  return [...jumps, instruction(MOVE, 0, 0, 0, rule.allow ? 1 : 0), instruction(EXIT, 0, 0, 0, 0)];
}

function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, one] of instructions.entries()) {
    view.setUint8(index * 8, one.code);
    view.setUint8(index * 8 + 1, (one.from << 4) | one.to);
    view.setInt16(index * 8 + 2, one.offset, true);
    view.setInt32(index * 8 + 4, one.value, true);
  }
  return bytes;
}
