// Points and directions as arrays of three numbers; none is ever changed in place.

/** @typedef {number[]} Vector three numbers */

/** Return a + b. */
export const add = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];

/** Return a - b. */
export const subtract = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];

/** Return a vector times a number. */
export const scale = (a, factor) => [a[0] * factor, a[1] * factor, a[2] * factor];

/** Return the inner product. */
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

/** Return the vector product. */
export const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

/** Return the length, in the vector's unit. */
export const norm = (a) => Math.hypot(a[0], a[1], a[2]);

/** Return the vector mirrored at the plane x = 0, which turns a right hand's points into a left hand's. */
export const mirrorVector = (a) => [-a[0], a[1], a[2]];
