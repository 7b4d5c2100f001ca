// Reads safetensors: the very file that the library poses with, so that there is no second copy of the hand to keep.
import { InvalidFileError } from "./errors.js";

// The pack's own hand has a quarter of a megabyte, its header one kilobyte.
const MAX_BYTES = 16 * 2 ** 20;
const MAX_HEADER = 2 ** 16;
const MAX_TENSORS = 64;
const LENGTH_BYTES = 8;

/** Return the number that a half-precision float's sixteen bits stand for. */
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * 2 ** -14 * (fraction / 1024);
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}

// What the pack stores; safetensors is little-endian, and so is every machine that has a browser.
const KINDS = {
  F32: { size: 4, read: (bytes) => Float64Array.from(new Float32Array(bytes)) },
  F16: { size: 2, read: (bytes) => Float64Array.from(new Uint16Array(bytes), fromHalf) },
  I16: { size: 2, read: (bytes) => Int32Array.from(new Int16Array(bytes)) },
  U8: { size: 1, read: (bytes) => Int32Array.from(new Uint8Array(bytes)) },
};

/**
 * Throw, with what to do about it.
 * @param {string} problem
 * @returns {never}
 */
function refuse(problem) {
  throw new InvalidFileError(
    `This is no safetensors file of a hand: ${problem}. Load it again, or reinstall SesaHand.`,
  );
}

/** Return the header, and where the tensors' bytes start. */
function readHeader(buffer) {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < LENGTH_BYTES || buffer.byteLength > MAX_BYTES) {
    refuse(`it has ${buffer?.byteLength} bytes, expected ${LENGTH_BYTES} to ${MAX_BYTES}`);
  }
  const length = new DataView(buffer).getBigUint64(0, true);
  if (length > MAX_HEADER || LENGTH_BYTES + Number(length) > buffer.byteLength) {
    refuse(`its header claims ${length} bytes`);
  }
  const start = LENGTH_BYTES + Number(length);
  let header;
  try {
    header = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, LENGTH_BYTES, Number(length))),
    );
  } catch {
    refuse("its header is not JSON");
  }
  if (header === null || typeof header !== "object" || Array.isArray(header)) refuse("its header is no table");
  return { header, start };
}

/** Tell whether a value is a list of whole numbers from 0 up. */
const isCounts = (value) => Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);

/** Return one tensor, after its shape, its place and its bytes have been found to agree. */
function readTensor(name, entry, data) {
  const kind = Object.hasOwn(KINDS, entry?.dtype) ? KINDS[entry.dtype] : refuse(`${name} is of an unknown kind`);
  const { shape, data_offsets: offsets } = entry;
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) refuse(`${name} has no shape or no place`);
  const [start, end] = offsets;
  const count = shape.reduce((product, length) => product * length, 1);
  if (end > data.byteLength || count * kind.size !== end - start) {
    refuse(`${name} does not fit its ${end - start} bytes`);
  }
  return { shape, values: kind.read(data.slice(start, end)) };
}

/**
 * Read a safetensors file.
 * @param {ArrayBuffer} buffer its bytes
 * @returns {{metadata: Object<string, string>, tensors: Object<string, {shape: number[], values: ArrayLike<number>}>}}
 * @throws {InvalidFileError} if it is damaged, larger than a hand's, or claims what it does not hold
 */
export function readSafetensors(buffer) {
  const { header, start } = readHeader(buffer);
  const { __metadata__: metadata = {}, ...entries } = header;
  const names = Object.keys(entries);
  if (names.length > MAX_TENSORS) refuse(`it holds ${names.length} tensors, expected at most ${MAX_TENSORS}`);
  const data = buffer.slice(start);
  return { metadata, tensors: Object.fromEntries(names.map((name) => [name, readTensor(name, entries[name], data)])) };
}
