// Reads tar archives: POSIX ustar and PAX, GNU (long names, old and PAX sparse files), star, V7. Chunks are pushed in,
// entries come out of synchronous calls: the inner loop waits for nothing and copies only across chunk borders.
// Global PAX headers ("g") are skipped, as container engines do. What comes after the end marker is ignored.
// Names are not cleaned: where an entry may go is decided by who unpacks it.

import { TeuError } from "@teu/base/errors";

import { BLOCK, NO_XATTRS, type SparseSegment, type TarEntry, type TarType } from "./entry.ts";
import {
  decodeHeader,
  decodeNumber,
  GNU_SPARSE,
  HeaderFault,
  isZeroBlock,
  type RawHeader,
  textField,
} from "./header.ts";
import { decodePax, type PaxRecords } from "./pax.ts";

/** Receives the entries of an archive, in order: one `entry`, any number of `data`, one `endEntry`. */
export interface TarSink {
  entry(entry: TarEntry): void;
  /** Content at `offset` of the file. The chunk is only valid during the call. Holes are not told. */
  data(chunk: Uint8Array, offset: number): void;
  endEntry(): void;
  /**
   * Ordinary files, whole, that begin at `at`, instead of three calls for each: how many it took, and the bytes of their headers, content
   * and padding. None of them when it wants those calls for the first. The chunk is valid as in `data`.
   */
  plainFiles?(chunk: Uint8Array, at: number): { readonly bytes: number; readonly count: number } | null;
}

/** Bounds on what a header may make us do. */
export interface TarLimits {
  /** Entries, extension headers not counted. Default: none. */
  readonly entries?: number;
  /** Bytes of one extension header (PAX records, long name, sparse map). Default 1 MiB, as Go's reader. */
  readonly headerBytes?: number;
}

const FLAGS: Readonly<Record<string, TarType>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  D: "directory",
};
/** The type flag of an ordinary file, and where it is. */
const PLAIN = 0x30;
const FLAG = 156;
const DEFAULT_HEADER_BYTES = 1 << 20;

/** What the bytes to come are. */
type State = "header" | "records" | "gnuSparse" | "sparseMap" | "data" | "padding" | "end";

/** A push parser: `write` chunks of any size, then `end`. */
export class TarReader {
  readonly #sink: TarSink;
  readonly #entryLimit: number;
  readonly #headerLimit: number;
  #state: State = "header";
  /** Bytes read so far. */
  #offset = 0;
  /** Where the present block began: where errors are. */
  #blockOffset = 0;
  #entries = 0;
  #zeroBlocks = 0;
  /** A block or an extension header that chunks have cut. */
  #carry: Buffer = Buffer.alloc(BLOCK);
  #carried = 0;
  /** Bytes of the present state still to come. */
  #left = 0;
  #padding = 0;
  #recordsFlag = "";
  /** Extension headers came for the entry to come. */
  #modified = false;
  #records: PaxRecords = {};
  #longName: string | undefined;
  #longLink: string | undefined;
  #raw: RawHeader | null = null;
  /** Numbers of a 1.0 sparse map, and a number that a block border has cut. */
  #map: number[] = [];
  #mapTail = "";
  #realSize = 0;
  #segments: SparseSegment[] = [];
  #segment = 0;
  #position = 0;
  /** The last time of a header, and what it is in nanoseconds. */
  #seconds = 0;
  #time = 0n;

  constructor(sink: TarSink, limits: TarLimits = {}) {
    this.#sink = sink;
    this.#entryLimit = limits.entries ?? Number.POSITIVE_INFINITY;
    this.#headerLimit = limits.headerBytes ?? DEFAULT_HEADER_BYTES;
  }

  /** Entries seen so far. */
  get entries(): number {
    return this.#entries;
  }

  /** True after the end marker: the rest may be anything. */
  get ended(): boolean {
    return this.#state === "end";
  }

  /** Takes the next bytes. @throws TeuError `corrupt` with the offset, `exhausted` beyond a limit; or what the sink throws. */
  write(chunk: Uint8Array): void {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    try {
      for (let at = 0; at < buffer.length && this.#state !== "end";) {
        const taken = this.#take(buffer, at);
        at += taken;
        this.#offset += taken;
      }
    } catch (error) {
      throw error instanceof HeaderFault ? this.#corrupt(error.message) : error;
    }
  }

  /** No more bytes. @throws TeuError `corrupt` when that is in the middle of something. */
  end(): void {
    const between = this.#state === "header" && this.#carried === 0 && this.#raw === null;
    // An archive without its end marker is whole when it ends between entries: old writers did that.
    if (this.#state === "end" || (between && !this.#hasPendingRecords())) return;
    this.#blockOffset = this.#offset;
    throw this.#corrupt("archive ends in the middle of an entry");
  }

  /** Takes some bytes of `buffer` from `at` on, as the state wants; returns how many, at least one. */
  #take(buffer: Buffer, at: number): number {
    switch (this.#state) {
      case "data":
        return this.#takeData(buffer, at);
      case "padding": {
        const taken = Math.min(this.#left, buffer.length - at);
        this.#left -= taken;
        if (this.#left === 0) this.#state = "header";
        return taken;
      }
      case "records":
        return this.#takeRecords(buffer, at);
      default:
        return this.#takeBlock(buffer, at);
    }
  }

  #takeBlock(buffer: Buffer, at: number): number {
    if (this.#carried === 0) this.#blockOffset = this.#offset;
    if (this.#carried === 0 && buffer.length - at >= BLOCK) {
      const taken = this.#takePlain(buffer, at);
      if (taken > 0) return taken;
      this.#block(buffer, at);
      return BLOCK;
    }
    const taken = Math.min(BLOCK - this.#carried, buffer.length - at);
    buffer.copy(this.#carry, this.#carried, at, at + taken);
    this.#carried += taken;
    if (this.#carried === BLOCK) {
      this.#carried = 0;
      this.#block(this.#carry, 0);
    }
    return taken;
  }

  /** Bytes of files that the sink has taken at once; 0 when the next block is to be read here. */
  #takePlain(buffer: Buffer, at: number): number {
    // Whatever changes the meaning of a header goes the long way.
    if (buffer[at + FLAG] !== PLAIN || this.#state !== "header" || this.#zeroBlocks > 0 || this.#modified) return 0;
    // An entry that is one too many is found out there as well.
    if (this.#entryLimit - this.#entries < (buffer.length - at) / BLOCK) return 0;
    const { count = 0, bytes = 0 } = this.#sink.plainFiles?.(buffer, at) ?? {};
    this.#entries += count;
    return bytes;
  }

  #block(buffer: Buffer, at: number): void {
    if (this.#state === "gnuSparse") return this.#gnuSparse(buffer, at, GNU_SPARSE.inExtension);
    if (this.#state === "sparseMap") return this.#sparseMap(buffer, at);
    if (buffer[at] === 0 && isZeroBlock(buffer, at)) {
      if (++this.#zeroBlocks === 2) this.#state = "end";
      return;
    }
    // GNU tar would end here, others go on: two readings of one archive are one too many.
    if (this.#zeroBlocks > 0) throw this.#corrupt("a single block of zeros between entries");
    this.#header(decodeHeader(buffer, at), buffer, at);
  }

  #header(raw: RawHeader, buffer: Buffer, at: number): void {
    const flag = String.fromCharCode(raw.flag);
    if ("xXgLK".includes(flag)) return this.#startRecords(flag, raw.size);
    // V: the name of the volume. Everything else unknown would be guessed at.
    if (flag === "V") return this.#skip(raw.size);
    if (FLAGS[flag] === undefined) {
      throw new TeuError({
        code: "unsupported",
        op: "read tar",
        subject: raw.name,
        message: `entry of unknown type ${JSON.stringify(flag)} at byte ${this.#blockOffset}`,
      });
    }
    this.#raw = raw;
    this.#segments = [];
    if (flag === "S" && raw.gnu) return this.#gnuSparse(buffer, at, GNU_SPARSE.inHeader);
    if (this.#records.sparse?.mapInData === true) {
      this.#left = this.#records.size ?? raw.size;
      this.#map = [];
      this.#mapTail = "";
      this.#state = "sparseMap";
      return;
    }
    this.#start(
      raw,
      this.#records.sparse === undefined ? null : this.#records.sparse.segments,
      this.#records.sparse?.realSize,
    );
  }

  #startRecords(flag: string, size: number): void {
    if (size > this.#headerLimit) {
      throw this.#exhausted(`extension header of ${size} bytes`, this.#headerLimit);
    }
    this.#recordsFlag = flag;
    this.#left = size;
    this.#padding = paddingOf(size);
    if (this.#carry.length < size) this.#carry = Buffer.alloc(size);
    this.#state = "records";
    if (size === 0) this.#endRecords(this.#carry.subarray(0, 0));
  }

  #takeRecords(buffer: Buffer, at: number): number {
    const taken = Math.min(this.#left, buffer.length - at);
    if (this.#carried === 0 && taken === this.#left) {
      this.#endRecords(buffer.subarray(at, at + taken));
      return taken;
    }
    buffer.copy(this.#carry, this.#carried, at, at + taken);
    this.#carried += taken;
    this.#left -= taken;
    if (this.#left === 0) {
      const whole = this.#carry.subarray(0, this.#carried);
      this.#carried = 0;
      this.#endRecords(whole);
    }
    return taken;
  }

  #endRecords(content: Buffer): void {
    this.#modified = true;
    switch (this.#recordsFlag) {
      case "x":
      case "X":
        this.#records = decodePax(content);
        break;
      case "L":
        this.#longName = textField(content, [0, content.length]);
        break;
      case "K":
        this.#longLink = textField(content, [0, content.length]);
    }
    this.#pad(this.#padding);
  }

  #skip(size: number): void {
    // Nothing is told of it: data and its padding are one stretch.
    this.#pad(size + paddingOf(size));
  }

  #pad(length: number): void {
    this.#left = length;
    this.#state = length === 0 ? "header" : "padding";
  }

  /** A 1.0 sparse map: the number n, then 2n numbers, each with its newline, filled up to a block. */
  #sparseMap(buffer: Buffer, at: number): void {
    this.#left -= BLOCK;
    if (this.#left < 0) throw this.#corrupt("sparse map is longer than its entry");
    const lines = (this.#mapTail + buffer.toString("latin1", at, at + BLOCK)).split("\n");
    this.#mapTail = lines.pop() ?? "";
    for (const line of lines) {
      this.#map.push(this.#number(line));
      if (this.#map.length === 2 * (this.#map[0] as number) + 1) return this.#endSparseMap();
    }
    if (this.#map.length * 2 > this.#headerLimit) throw this.#exhausted("sparse map", this.#headerLimit);
  }

  #endSparseMap(): void {
    const segments: SparseSegment[] = [];
    for (let i = 1; i < this.#map.length; i += 2) {
      segments.push({ offset: this.#map[i] as number, length: this.#map[i + 1] as number });
    }
    const realSize = this.#records.sparse?.realSize;
    this.#start(this.#raw as RawHeader, segments, realSize, this.#left);
  }

  #number(text: string | undefined): number {
    const value = /^[0-9]{1,16}$/.test(text ?? "") ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw this.#corrupt("sparse map holds something else than sizes");
    return value;
  }

  #gnuSparse(buffer: Buffer, base: number, form: { at: number; entries: number; extended: number }): void {
    const raw = this.#raw as RawHeader;
    for (let i = 0; i < form.entries; i++) {
      const at = base + form.at + 24 * i;
      if (buffer[at] === 0 || buffer[at + 12] === 0) break;
      this.#segments.push({ offset: decodeNumber(buffer, at, 12), length: decodeNumber(buffer, at + 12, 12) });
    }
    if (this.#segments.length * 24 > this.#headerLimit) throw this.#exhausted("sparse map", this.#headerLimit);
    if (form === GNU_SPARSE.inHeader) {
      const [offset, length] = GNU_SPARSE.realSize;
      this.#realSize = decodeNumber(buffer, base + offset, length);
    }
    if (buffer[base + form.extended] !== 0) {
      this.#state = "gnuSparse";
      return;
    }
    this.#start(raw, this.#segments, this.#realSize);
  }

  /** All headers of an entry are read: tells the sink, and prepares for its data. `stored` overrides the PAX size. */
  #start(raw: RawHeader, sparse: SparseSegment[] | null, realSize: number | undefined, stored?: number): void {
    if (++this.#entries > this.#entryLimit) throw this.#exhausted("archive", this.#entryLimit, "entries");
    const entry = this.#entry(raw, sparse, realSize, stored);
    const data = stored ?? (entry.type === "file" ? (this.#records.size ?? raw.size) : 0);
    if (sparse !== null) this.#checkSparse(sparse, entry.size, data);
    this.#modified = false;
    this.#records = {};
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#raw = null;
    this.#segments = sparse ?? [];
    this.#segment = 0;
    this.#position = 0;
    this.#sink.entry(entry);
    this.#padding = paddingOf(data);
    this.#left = data;
    if (data > 0) this.#state = "data";
    else this.#finish();
  }

  #entry(raw: RawHeader, sparse: SparseSegment[] | null, realSize: number | undefined, stored?: number): TarEntry {
    const records = this.#records;
    const path = records.sparse?.name ?? records.path ?? this.#longName ?? raw.name;
    const flag = String.fromCharCode(raw.flag);
    // V7 had no directories: an ordinary file whose name ends with a slash is one.
    const slashed = path.endsWith("/");
    const type = slashed && FLAGS[flag] === "file" ? "directory" : (FLAGS[flag] as TarType);
    // Some readers would skip the content, others read it as headers.
    if (slashed && FLAGS[flag] === "file" && (sparse !== null || (records.size ?? raw.size) > 0)) {
      throw this.#corrupt("a file whose name ends with a slash has content");
    }
    const device = type === "character" || type === "block";
    const link = type === "symlink" || type === "hardlink";
    return {
      type,
      name: slashed ? path.replace(/\/+$/, "") || "/" : path,
      linkName: link ? (records.linkPath ?? this.#longLink ?? raw.linkName) : "",
      // Links and nodes have no data in container tools, whatever their size field says.
      size: type === "file" ? (sparse !== null ? (realSize ?? 0) : (stored ?? records.size ?? raw.size)) : 0,
      mode: raw.mode & 0o7777,
      uid: records.uid ?? raw.uid,
      gid: records.gid ?? raw.gid,
      userName: records.userName ?? raw.userName,
      groupName: records.groupName ?? raw.groupName,
      mtimeNs: records.mtimeNs ?? this.#nanoseconds(raw.mtime),
      devMajor: device ? raw.devMajor : 0,
      devMinor: device ? raw.devMinor : 0,
      xattrs: records.xattrs ?? NO_XATTRS,
      sparse,
    };
  }

  /** Many entries have the time of the one before, and making a bigint is slow. */
  #nanoseconds(mtime: number): bigint {
    if (mtime !== this.#seconds) this.#time = BigInt(mtime) * 1_000_000_000n;
    this.#seconds = mtime;
    return this.#time;
  }

  /** Pieces must ascend, stay inside the file and account for every byte stored. */
  #checkSparse(segments: readonly SparseSegment[], size: number, stored: number): void {
    let end = 0;
    let sum = 0;
    for (const { offset, length } of segments) {
      if (offset < end || !Number.isSafeInteger(offset + length) || offset + length > size) {
        throw this.#corrupt("sparse map does not fit its file");
      }
      end = offset + length;
      sum += length;
    }
    if (sum !== stored) throw this.#corrupt("sparse map and size of the data differ");
  }

  #takeData(buffer: Buffer, at: number): number {
    let taken = Math.min(this.#left, buffer.length - at);
    if (this.#segments.length > 0) taken = Math.min(taken, this.#segmentLeft());
    this.#sink.data(buffer.subarray(at, at + taken), this.#position);
    this.#position += taken;
    this.#left -= taken;
    if (this.#left === 0) this.#finish();
    return taken;
  }

  /** Moves to the piece that the next byte belongs to; returns what is left of it. */
  #segmentLeft(): number {
    for (;;) {
      const segment = this.#segments[this.#segment];
      if (segment === undefined) throw this.#corrupt("sparse map and size of the data differ");
      if (this.#position < segment.offset) this.#position = segment.offset;
      const left = segment.offset + segment.length - this.#position;
      if (left > 0) return left;
      this.#segment++;
    }
  }

  #finish(): void {
    this.#segments = [];
    this.#pad(this.#padding);
    this.#sink.endEntry();
  }

  #hasPendingRecords(): boolean {
    return this.#longName !== undefined || this.#longLink !== undefined || Object.keys(this.#records).length > 0;
  }

  #corrupt(message: string): TeuError {
    return new TeuError({
      code: "corrupt",
      op: "read tar",
      message: `${message}, at byte ${this.#blockOffset}`,
      detail: { offset: this.#blockOffset },
    });
  }

  #exhausted(what: string, limit: number, unit: string = "bytes"): TeuError {
    return new TeuError({
      code: "exhausted",
      op: "read tar",
      message: `${what} is beyond the limit of ${limit} ${unit}, at byte ${this.#blockOffset}`,
      detail: { offset: this.#blockOffset, limit },
    });
  }
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
