// Certificate authorities and certificates for tests of TLS, made on the spot: DER by hand (RFC 5280), signed by node:crypto.

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** A certificate with its key, both PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate of a test says. */
export interface CertificateOptions {
  /** DNS names and IPv4 addresses. Default localhost and 127.0.0.1. */
  readonly names?: readonly string[];
  /** Default: since yesterday, for a day more. */
  readonly from?: Date;
  readonly to?: Date;
}

const DAY = 86_400_000;
const OID = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
};

/** An authority that issues certificates. */
export class TestAuthority {
  /** Its own certificate, PEM. */
  readonly cert: string;
  readonly #key: KeyObject;
  readonly #name: Buffer;

  constructor(name: string = "test authority") {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#key = privateKey;
    this.#name = commonName(name);
    const constraints = extension(OID.basicConstraints, sequence(tagged(0x01, Buffer.from([0xff]))));
    this.cert = this.#certificate(this.#name, publicKey, [constraints], {});
  }

  /** A certificate for a server. */
  issue(options: CertificateOptions = {}): CertificatePair {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const names = (options.names ?? ["localhost", "127.0.0.1"]).map((name) =>
      /^[\d.]+$/.test(name)
        ? tagged(0x87, Buffer.from(name.split(".").map(Number)))
        : tagged(0x82, Buffer.from(name, "latin1")),
    );
    const cert = this.#certificate(
      commonName("test server"),
      publicKey,
      [extension(OID.subjectAltName, sequence(...names))],
      options,
    );
    return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
  }

  #certificate(
    subject: Buffer,
    key: KeyObject,
    extensions: readonly Buffer[],
    { from, to }: CertificateOptions,
  ): string {
    const algorithm = sequence(identifier(OID.ecdsaWithSha256));
    const body = sequence(
      tagged(0xa0, tagged(0x02, Buffer.from([2]))),
      tagged(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
      algorithm,
      this.#name,
      sequence(time(from ?? new Date(Date.now() - DAY)), time(to ?? new Date(Date.now() + DAY))),
      subject,
      key.export({ type: "spki", format: "der" }),
      tagged(0xa3, sequence(...extensions)),
    );
    const signature = tagged(0x03, Buffer.concat([Buffer.from([0]), sign("sha256", body, this.#key)]));
    const lines =
      sequence(body, algorithm, signature)
        .toString("base64")
        .match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
  }
}

/** A name that is a common name only. */
export function commonName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(identifier(OID.commonName), tagged(0x0c, Buffer.from(name)))));
}

function extension(oid: string, value: Buffer): Buffer {
  return sequence(identifier(oid), tagged(0x01, Buffer.from([0xff])), tagged(0x04, value));
}

/** A SEQUENCE. */
export function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

/** UTCTime: two digits of the year, to the second. */
export function time(at: Date): Buffer {
  return tagged(0x17, Buffer.from(at.toISOString().replace(/^\d\d|[-:T]|\.\d+/g, "")));
}

/** An OBJECT IDENTIFIER. */
export function identifier(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const septets = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) septets.unshift((left & 0x7f) | 0x80);
    bytes.push(...septets);
  }
  return tagged(0x06, Buffer.from(bytes));
}

/** A value with any tag. */
export function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
