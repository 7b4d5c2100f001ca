// Rotations as arrays of nine numbers, rows first, in the forms and formulas of sesahand/hands/rotations.py.
import { cross, dot, norm, scale, subtract } from "./vectors.js";

/** @typedef {number[]} Rotation nine numbers, rows first; never changed in place */

export const IDENTITY = Object.freeze([1, 0, 0, 0, 1, 0, 0, 0, 1]);

// Below this sine of half the angle, angle over sine is 2 to the last bit.
const SMALL_SINE = 1e-7;
// Below this squared angle, the Taylor series is the more exact one.
const SMALL_SQUARE = 1e-8;

/** Return the rotation that turns by b, then by a. */
export function multiply(a, b) {
  return [
    a[0] * b[0] + a[1] * b[3] + a[2] * b[6],
    a[0] * b[1] + a[1] * b[4] + a[2] * b[7],
    a[0] * b[2] + a[1] * b[5] + a[2] * b[8],
    a[3] * b[0] + a[4] * b[3] + a[5] * b[6],
    a[3] * b[1] + a[4] * b[4] + a[5] * b[7],
    a[3] * b[2] + a[4] * b[5] + a[5] * b[8],
    a[6] * b[0] + a[7] * b[3] + a[8] * b[6],
    a[6] * b[1] + a[7] * b[4] + a[8] * b[7],
    a[6] * b[2] + a[7] * b[5] + a[8] * b[8],
  ];
}

/** Return the inverse of a rotation, its transpose. */
export const invert = (m) => [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]];

/** Return a vector turned by a rotation. */
export const rotate = (m, v) => [
  m[0] * v[0] + m[1] * v[1] + m[2] * v[2],
  m[3] * v[0] + m[4] * v[1] + m[5] * v[2],
  m[6] * v[0] + m[7] * v[1] + m[8] * v[2],
];

/** Return the rotation mirrored at the plane x = 0, which turns a right hand's pose into a left hand's. */
export const mirrorRotation = (m) => [m[0], -m[1], -m[2], -m[3], m[4], m[5], -m[6], m[7], m[8]];

/**
 * Return the rotation about an axis.
 * @param {number[]} axisAngle the axis times the angle in radians
 */
export function fromAxisAngle([x, y, z]) {
  const squared = x * x + y * y + z * z;
  const small = squared < SMALL_SQUARE;
  const angle = Math.sqrt(squared);
  const first = small ? 1 - squared / 6 : Math.sin(angle) / angle;
  const second = small ? 0.5 - squared / 24 : (1 - Math.cos(angle)) / squared;
  return [
    1 - second * (y * y + z * z),
    second * x * y - first * z,
    second * x * z + first * y,
    second * x * y + first * z,
    1 - second * (x * x + z * z),
    second * y * z - first * x,
    second * x * z - first * y,
    second * y * z + first * x,
    1 - second * (x * x + y * y),
  ];
}

/** Return a rotation's unit quaternion w, x, y, z with w >= 0 (Shepperd, 1978). */
function toQuaternion(m) {
  const trace = m[0] + m[4] + m[8];
  // Four times the squares of w, x, y, z; the largest is a safe divisor even at half a turn, where w vanishes.
  const squares = [1 + trace, 1 + 2 * m[0] - trace, 1 + 2 * m[4] - trace, 1 + 2 * m[8] - trace];
  const [dx, dy, dz] = [m[7] - m[5], m[2] - m[6], m[3] - m[1]];
  const [xy, xz, yz] = [m[1] + m[3], m[2] + m[6], m[5] + m[7]];
  const candidates = [
    [squares[0], dx, dy, dz],
    [dx, squares[1], xy, xz],
    [dy, xy, squares[2], yz],
    [dz, xz, yz, squares[3]],
  ];
  const quaternion = candidates[squares.indexOf(Math.max(...squares))];
  const length = Math.hypot(...quaternion) * (quaternion[0] < 0 ? -1 : 1);
  return quaternion.map((value) => value / length);
}

/** Return a rotation as its axis times its angle in radians, which is 0 to half a turn. */
export function toAxisAngle(m) {
  const [w, x, y, z] = toQuaternion(m);
  const sine = Math.hypot(x, y, z);
  const factor = sine < SMALL_SINE ? 2 : (2 * Math.atan2(sine, w)) / sine;
  return [x * factor, y * factor, z * factor];
}

/** Return the rotation that is the share t of the way from one to another, along the shortest turn. */
export function blendRotations(first, second, t) {
  const way = toAxisAngle(multiply(invert(first), second));
  return multiply(first, fromAxisAngle(way.map((value) => value * t)));
}

/** Return nine numbers that are nearly a rotation as one: rows of length one, perpendicular. */
export function straightened(m) {
  const [first, second] = [m.slice(0, 3), m.slice(3, 6)];
  const x = scale(first, 1 / norm(first));
  const rest = subtract(second, scale(x, dot(x, second)));
  const y = scale(rest, 1 / norm(rest));
  return [...x, ...y, ...cross(x, y)];
}

/** Tell whether nine numbers are a rotation: perpendicular rows of length one, to within a tolerance, right-handed. */
export function isRotation(m, tolerance) {
  const product = multiply(m, invert(m));
  const determinant =
    m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
  return determinant > 0 && product.every((value, k) => Math.abs(value - IDENTITY[k]) < tolerance);
}
