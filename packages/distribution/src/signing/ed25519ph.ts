// Ed25519ph (RFC 8032, section 5.1 with a prehash): how cosign signs with Ed25519 keys. OpenSSL has only the pure form, so the equation
// is computed here. Nothing in it is secret: it may take as long as it takes.

import { createHash } from "node:crypto";

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
const D = modulo(-121_665n * power(121_666n, P - 2n));
const SQRT_OF_MINUS_1 = power(2n, (P - 1n) / 4n);
/** "SigEd25519 no Ed25519 collisions", the flag of the prehash, an empty context. */
const PREFIX = Buffer.concat([Buffer.from("SigEd25519 no Ed25519 collisions"), Buffer.from([1, 0])]);

/** A point as X/Z, Y/Z, with T = XY/Z. */
interface Point {
  readonly x: bigint;
  readonly y: bigint;
  readonly z: bigint;
  readonly t: bigint;
}

const NEUTRAL: Point = { x: 0n, y: 1n, z: 1n, t: 0n };
const BASE = decodePoint(Buffer.from(`58${"66".repeat(31)}`, "hex"));

/** Whether the key (its 32 bytes) made the signature of the message. */
export function verifyEd25519ph(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== 32 || signature.length !== 64) return false;
  const [half, s] = [signature.subarray(0, 32), number(signature.subarray(32))];
  const [a, r] = [decodePoint(key), decodePoint(half)];
  // A second S for the same signature is none (RFC 8032, 5.1.7).
  if (BASE === null || a === null || r === null || s >= ORDER || isSmall(a)) return false;
  const prehash = createHash("sha512").update(message).digest();
  const k = number(createHash("sha512").update(PREFIX).update(half).update(key).update(prehash).digest()) % ORDER;
  const left = multiply(BASE, s);
  const right = add(r, multiply(a, k));
  return modulo(left.x * right.z - right.x * left.z) === 0n && modulo(left.y * right.z - right.y * left.z) === 0n;
}

// A key of small order would "sign" anything.
function isSmall(point: Point): boolean {
  const { x, y, z } = multiply(point, 8n);
  return modulo(x) === 0n && modulo(y - z) === 0n;
}

function decodePoint(bytes: Uint8Array): Point | null {
  const value = number(bytes);
  const y = value & ((1n << 255n) - 1n);
  if (y >= P) return null;
  const numerator = modulo(y * y - 1n);
  const denominator = modulo(D * y * y + 1n);
  const ratio = modulo(numerator * power(denominator, P - 2n));
  let x = power(ratio, (P + 3n) / 8n);
  if (modulo(x * x - ratio) !== 0n) x = modulo(x * SQRT_OF_MINUS_1);
  if (modulo(x * x - ratio) !== 0n) return null;
  const odd = value >> 255n;
  if (x === 0n && odd === 1n) return null;
  if ((x & 1n) !== odd) x = P - x;
  return { x, y, z: 1n, t: modulo(x * y) };
}

function add(one: Point, other: Point): Point {
  const a = modulo((one.y - one.x) * (other.y - other.x));
  const b = modulo((one.y + one.x) * (other.y + other.x));
  const c = modulo(2n * D * one.t * other.t);
  const d = modulo(2n * one.z * other.z);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return { x: modulo(e * f), y: modulo(g * h), z: modulo(f * g), t: modulo(e * h) };
}

function multiply(point: Point, factor: bigint): Point {
  let [sum, doubled] = [NEUTRAL, point];
  for (let rest = factor; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) sum = add(sum, doubled);
    doubled = add(doubled, doubled);
  }
  return sum;
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, modulo(base)];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = modulo(result * square);
    square = modulo(square * square);
  }
  return result;
}

function modulo(value: bigint): bigint {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
}

function number(littleEndian: Uint8Array): bigint {
  return littleEndian.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
