// BLAKE3, unkeyed, 256 bits (the paper's section 2): image-spec registers it for digests, and neither Node nor the addon has it.
// A tree of chunks of 1 KiB; finished subtrees wait on a stack until their sibling is there.

const BLOCK = 64;
const CHUNK = 1024;
const IV = Uint32Array.of(
  ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
);
/** Which word of the message each step of each of the seven rounds takes: the permutation, applied again for every round. */
const SCHEDULE = schedule([2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]);
const IV_HALF = IV.subarray(0, 4);
/** Of the compression under way: made once, since there is one for every 64 bytes. */
const STATE = new Uint32Array(16);
const CHUNK_START = 1;
const CHUNK_END = 2;
const PARENT = 4;
const ROOT = 8;

/** Computes one digest over bytes as they pass. */
export class Blake3 {
  /** Chaining values of finished subtrees, largest first. */
  readonly #stack: Uint32Array[] = [];
  #chunks = 0;
  /** Of the chunk under way. */
  #value: Uint32Array = IV.slice();
  #blocks = 0;
  /** The last block, which is compressed once it is known whether more follows. */
  readonly #block = new Uint8Array(BLOCK);
  /** The same bytes: all machines that teu runs on are little-endian, as BLAKE3 is. */
  readonly #words = new Uint32Array(this.#block.buffer);
  #filled = 0;

  take(data: Uint8Array): this {
    for (let at = 0; at < data.length;) {
      if (this.#filled === BLOCK) this.#endBlock();
      const taken = Math.min(BLOCK - this.#filled, data.length - at);
      this.#block.set(data.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
    }
    return this;
  }

  /** In hex. */
  digest(): string {
    this.#block.fill(0, this.#filled);
    let node: Node = {
      value: this.#value,
      block: this.#words,
      counter: this.#chunks,
      length: this.#filled,
      flags: this.#startFlag() | CHUNK_END,
    };
    for (const left of this.#stack.toReversed()) node = parentOf(left, compress(node));
    const out = compress({ ...node, flags: node.flags | ROOT });
    const bytes = Buffer.alloc(32);
    for (const [index, word] of out.entries()) bytes.writeUInt32LE(word, 4 * index);
    return bytes.toString("hex");
  }

  /** The block is full and more follows. */
  #endBlock(): void {
    const last = this.#blocks === CHUNK / BLOCK - 1;
    const flags = this.#startFlag() | (last ? CHUNK_END : 0);
    this.#value = compress({
      value: this.#value,
      block: this.#words,
      counter: this.#chunks,
      length: BLOCK,
      flags,
    });
    this.#filled = 0;
    this.#blocks++;
    if (last) this.#endChunk();
  }

  #endChunk(): void {
    let value = this.#value;
    this.#chunks++;
    // As many subtrees are complete as the number of chunks ends in zeros.
    for (let count = this.#chunks; count % 2 === 0; count /= 2)
      value = compress(parentOf(this.#stack.pop() as Uint32Array, value));
    this.#stack.push(value);
    this.#value = IV.slice();
    this.#blocks = 0;
  }

  #startFlag(): number {
    return this.#blocks === 0 ? CHUNK_START : 0;
  }
}

/** The input of one compression. */
interface Node {
  readonly value: Uint32Array;
  readonly block: Uint32Array;
  readonly counter: number;
  readonly length: number;
  readonly flags: number;
}

function parentOf(left: Uint32Array, right: Uint32Array): Node {
  const block = new Uint32Array(16);
  block.set(left);
  block.set(right, 8);
  return { value: IV, block, counter: 0, length: BLOCK, flags: PARENT };
}

/** The first half of the compression function's output. */
function compress({ value, block, counter, length, flags }: Node): Uint32Array {
  STATE.set(value);
  STATE.set(IV_HALF, 8);
  STATE[12] = counter;
  STATE[13] = counter / 2 ** 32;
  STATE[14] = length;
  STATE[15] = flags;
  for (let at = 0; at < SCHEDULE.length; at += 16) {
    mix(0, 4, 8, 12, block[SCHEDULE[at] as number] as number, block[SCHEDULE[at + 1] as number] as number);
    mix(1, 5, 9, 13, block[SCHEDULE[at + 2] as number] as number, block[SCHEDULE[at + 3] as number] as number);
    mix(2, 6, 10, 14, block[SCHEDULE[at + 4] as number] as number, block[SCHEDULE[at + 5] as number] as number);
    mix(3, 7, 11, 15, block[SCHEDULE[at + 6] as number] as number, block[SCHEDULE[at + 7] as number] as number);
    mix(0, 5, 10, 15, block[SCHEDULE[at + 8] as number] as number, block[SCHEDULE[at + 9] as number] as number);
    mix(1, 6, 11, 12, block[SCHEDULE[at + 10] as number] as number, block[SCHEDULE[at + 11] as number] as number);
    mix(2, 7, 8, 13, block[SCHEDULE[at + 12] as number] as number, block[SCHEDULE[at + 13] as number] as number);
    mix(3, 4, 9, 14, block[SCHEDULE[at + 14] as number] as number, block[SCHEDULE[at + 15] as number] as number);
  }
  const out = new Uint32Array(8);
  for (let i = 0; i < 8; i++) out[i] = (STATE[i] as number) ^ (STATE[i + 8] as number);
  return out;
}

function mix(a: number, b: number, c: number, d: number, x: number, y: number): void {
  let va = (STATE[a] as number) | 0;
  let vb = (STATE[b] as number) | 0;
  let vc = (STATE[c] as number) | 0;
  let vd = (STATE[d] as number) | 0;
  va = (va + vb + x) | 0;
  vd ^= va;
  vd = (vd >>> 16) | (vd << 16);
  vc = (vc + vd) | 0;
  vb ^= vc;
  vb = (vb >>> 12) | (vb << 20);
  va = (va + vb + y) | 0;
  vd ^= va;
  vd = (vd >>> 8) | (vd << 24);
  vc = (vc + vd) | 0;
  vb ^= vc;
  vb = (vb >>> 7) | (vb << 25);
  STATE[a] = va;
  STATE[b] = vb;
  STATE[c] = vc;
  STATE[d] = vd;
}

function schedule(permutation: readonly number[]): Uint8Array {
  let order = permutation.map((_, index) => index);
  const all: number[] = [];
  for (let round = 0; round < 7; round++) {
    all.push(...order);
    order = permutation.map((from) => order[from] as number);
  }
  return Uint8Array.from(all);
}
