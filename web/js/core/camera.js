// The picture's camera, as sesahand/scene/camera.py has it: x right, y down, z forward, metres; pixels in the picture.
import { norm, scale } from "./vectors.js";

/**
 * @typedef {object} Camera
 * @property {number} focalLength pixels
 * @property {number[]} principalPoint x and y in pixels; the centre of pixel (i, j) is (i + 0.5, j + 0.5)
 * @property {number} width pixels
 * @property {number} height pixels
 */

/**
 * Return the pixel that a point in front of the camera is seen at.
 * @param {Camera} camera
 * @param {number[]} point
 */
export const project = ({ focalLength, principalPoint: [cx, cy] }, [x, y, z]) => [
  (x / z) * focalLength + cx,
  (y / z) * focalLength + cy,
];

/** Return the point at a depth (metres along z) that is seen at a pixel. */
export const unproject = ({ focalLength, principalPoint: [cx, cy] }, [u, v], depth) => [
  ((u - cx) / focalLength) * depth,
  ((v - cy) / focalLength) * depth,
  depth,
];

/** Return the ray of all points that are seen at a pixel: an origin, and a direction of length one. */
export function rayThrough(camera, pixel) {
  const through = unproject(camera, pixel, 1);
  return { origin: [0, 0, 0], direction: scale(through, 1 / norm(through)) };
}

/**
 * Return the matrix, columns first, that lets a GL viewport of the picture's shape show points where `project` does.
 * @param {Camera} camera
 * @param {number} near depth in metres that gets -1
 * @param {number} far depth in metres that gets 1
 */
export function clipMatrix({ focalLength: f, principalPoint: [cx, cy], width, height }, near, far) {
  const a = (far + near) / (far - near);
  const b = (-2 * far * near) / (far - near);
  // prettier-ignore
  return [
    (2 * f) / width, 0, 0, 0,
    0, (-2 * f) / height, 0, 0,
    (2 * cx) / width - 1, 1 - (2 * cy) / height, a, 1,
    0, 0, b, 0,
  ];
}
