/**
 * Protobuf's encoding (https://protobuf.dev/programming-guides/encoding/). All fields go into one buffer, one after the
 * other: a network has tens of thousands, and loading it waits for them.
 */

/** Writes the fields of a message. */
export type Message = (to: ProtoWriter) => void;

const WIRE_VARINT = 0;
const WIRE_BYTES = 2;
const WIRE_FLOAT = 5;

const FIRST_BYTES = 64 * 1024;
/** Of a varint of 64 bits. */
const MAX_VARINT_BYTES = 10;
/** Of a UTF-16 unit in UTF-8. */
const MAX_UNIT_BYTES = 3;

/** The bytes of a message. */
export function encoded(message: Message): Uint8Array {
  const writer = new ProtoWriter();
  message(writer);
  return writer.finish();
}

export class ProtoWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

  int(field: number, value: number): void {
    this.#tag(field, WIRE_VARINT);
    this.#varint(value);
  }

  float(field: number, value: number): void {
    this.#tag(field, WIRE_FLOAT);
    this.#room(4);
    this.#length = this.#bytes.writeFloatLE(value, this.#length);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, WIRE_BYTES);
    this.#varint(value.byteLength);
    this.#room(value.byteLength);
    this.#bytes.set(value, this.#length);
    this.#length += value.byteLength;
  }

  text(field: number, value: string): void {
    this.#measured(field, () => {
      this.#room(MAX_UNIT_BYTES * value.length);
      this.#length += this.#bytes.write(value, this.#length);
    });
  }

  message(field: number, write: Message): void {
    this.#measured(field, () => write(this));
  }

  finish(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#length));
  }

  /** Writes a field whose length is known afterwards. Most take one byte for it; otherwise what was written moves. */
  #measured(field: number, write: () => void): void {
    this.#tag(field, WIRE_BYTES);
    const at = this.#length;
    this.#length += 1;
    write();
    const [start, end] = [at + 1, this.#length];
    const moved = varintBytes(end - start) - 1;
    if (moved > 0) {
      this.#room(moved);
      this.#bytes.copyWithin(start + moved, start, end);
    }
    this.#length = at;
    this.#varint(end - start);
    this.#length = end + moved;
  }

  #tag(field: number, wire: number): void {
    this.#varint(field * 8 + wire);
  }

  #varint(value: number): void {
    this.#room(MAX_VARINT_BYTES);
    if (value < 0) return this.#negative(value);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = (rest % 128) + 128;
    this.#bytes[this.#length++] = rest;
  }

  /** Two's complement over 64 bits, as protobuf encodes negative int64 values. */
  #negative(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) + 128;
    this.#bytes[this.#length++] = Number(rest);
  }

  #room(byteLength: number): void {
    const needed = this.#length + byteLength;
    if (needed <= this.#bytes.byteLength) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.byteLength));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}
