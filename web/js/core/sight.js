// From where a scene is looked at: through the picture's camera, or from around it. Pixels are those of a stage.
import { project, rayThrough } from "./camera.js";
import { fromAxisAngle, IDENTITY, invert, multiply, rotate } from "./rotations.js";
import { add, scale, subtract } from "./vectors.js";

const QUARTER = Math.PI / 2;
const NEAREST_ZOOM = 0.25;
const FARTHEST_ZOOM = 6;

/**
 * @typedef {object} Orbit how far one went around
 * @property {number} yaw radians to the right
 * @property {number} pitch radians up, a quarter turn at most
 * @property {number} zoom 1 is as far as the picture's camera
 */

/** Looking from in front, as far as the picture's camera. */
export const FRONT = Object.freeze({ yaw: 0, pitch: 0, zoom: 1 });

/** Return an orbit farther along by some radians; never over the top. */
export const orbited = (orbit, yaw, pitch) => ({
  ...orbit,
  yaw: orbit.yaw + yaw,
  pitch: Math.max(-QUARTER, Math.min(QUARTER, orbit.pitch + pitch)),
});

/** Return an orbit nearer by a factor, within reason. */
export const zoomed = (orbit, factor) => ({
  ...orbit,
  zoom: Math.max(NEAREST_ZOOM, Math.min(FARTHEST_ZOOM, orbit.zoom * factor)),
});

/**
 * Return where a picture is on a stage: all of it, in the middle.
 * @param {import("./camera.js").Camera} camera
 * @param {{width: number, height: number}} stage pixels
 * @param {number} margin pixels around the picture
 * @returns {{scale: number, left: number, top: number, width: number, height: number}} pixels of the stage
 */
export function fitted(camera, stage, margin = 0) {
  const room = [stage.width, stage.height].map((side) => Math.max(1, side - 2 * margin));
  const factor = Math.min(room[0] / camera.width, room[1] / camera.height);
  const [width, height] = [camera.width * factor, camera.height * factor];
  return { scale: factor, left: (stage.width - width) / 2, top: (stage.height - height) / 2, width, height };
}

/** Return the camera that shows on a stage what a camera shows in its picture, and what is beside it. */
export const cameraOnStage = (camera, { scale: factor, left, top }, stage) => ({
  focalLength: camera.focalLength * factor,
  principalPoint: [camera.principalPoint[0] * factor + left, camera.principalPoint[1] * factor + top],
  width: stage.width,
  height: stage.height,
});

/** A camera, and from where it looks at the scene. */
export class Sight {
  /**
   * Look.
   * @param {import("./camera.js").Camera} camera whose pixels are the stage's
   * @param {{pivot: number[], orbit: Orbit}} [around] what it goes around, metres in the scene's frame, and how far
   */
  constructor(camera, around) {
    this.camera = camera;
    this.around = around ?? null;
    const { yaw, pitch, zoom } = around?.orbit ?? FRONT;
    this.rotation = around ? multiply(fromAxisAngle([pitch, 0, 0]), fromAxisAngle([0, yaw, 0])) : IDENTITY;
    this.pivot = around?.pivot ?? [0, 0, 0];
    this.back = around ? [0, 0, Math.max(this.pivot[2], 0.1) / zoom] : [0, 0, 0];
  }

  /** Return a point of the scene as the camera has it, metres: x right, y down, z forward. */
  seen(point) {
    return this.around ? add(rotate(this.rotation, subtract(point, this.pivot)), this.back) : point;
  }

  /** Return the pixel that a point of the scene is seen at, and its depth. */
  project(point) {
    const seen = this.seen(point);
    return [...project(this.camera, seen), seen[2]];
  }

  /** Return the ray of all points of the scene that are seen at a pixel. */
  ray(pixel) {
    const ray = rayThrough(this.camera, pixel);
    const back = invert(this.rotation);
    return {
      origin: add(rotate(back, subtract(ray.origin, this.back)), this.pivot),
      direction: rotate(back, ray.direction),
    };
  }

  /** Return the way in the scene, metres, that is seen as a way in pixels at the depth of a point. */
  way(pixels, point) {
    const metres = this.seen(point)[2] / this.camera.focalLength;
    return rotate(invert(this.rotation), scale([pixels[0], pixels[1], 0], metres));
  }

  /** Fill `out`, three numbers a vertex, with vertices of the scene as the camera has them. */
  seenAll(vertices, out) {
    return moveAll(this.rotation, this.pivot, this.back, vertices, out);
  }

  /** Fill `out`, three numbers each, with directions of the scene as the camera has them. */
  turnAll(directions, out) {
    return moveAll(this.rotation, NOWHERE, NOWHERE, directions, out);
  }
}

const NOWHERE = [0, 0, 0];

/** Fill `out` with points turned about a pivot and then moved. */
function moveAll(m, pivot, back, points, out) {
  const [[px, py, pz], [bx, by, bz]] = [pivot, back];
  if (m === IDENTITY) {
    out.set(points);
    return out;
  }
  // Written out, because it runs for every vertex of every frame.
  for (let v = 0; v < out.length; v += 3) {
    const [x, y, z] = [points[v] - px, points[v + 1] - py, points[v + 2] - pz];
    out[v] = m[0] * x + m[1] * y + m[2] * z + bx;
    out[v + 1] = m[3] * x + m[4] * y + m[5] * z + by;
    out[v + 2] = m[6] * x + m[7] * y + m[8] * z + bz;
  }
  return out;
}
