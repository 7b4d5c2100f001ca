// What of a hand is in front of what: which skin is seen at a pixel, and which joints are hidden behind other skin.
import { FINGER_JOINTS, FINGERS, MANO_PARENTS, OPENPOSE_FROM_MANO } from "./skeleton.js";

const PALM = 0;
// Metres in front of a joint within which skin is thought to be its own.
const ITS_OWN = 4e-3;

/** Return the joints whose skin is around a keypoint. */
function jointsAround(keypoint) {
  const mano = OPENPOSE_FROM_MANO[keypoint];
  const joint = mano > 15 ? FINGER_JOINTS[FINGERS[mano - 16]][2] : mano;
  return new Set([joint, MANO_PARENTS[joint] ?? PALM]);
}

const AROUND = OPENPOSE_FROM_MANO.map((_, keypoint) => jointsAround(keypoint));

/** A mesh as it is seen: its vertices' pixels and depths. */
export class SeenMesh {
  /**
   * Look at a mesh.
   * @param {ArrayLike<number>} faces three vertex ids each
   * @param {import("./sight.js").Sight} sight
   * @param {Float64Array} vertices metres in the scene's frame
   */
  constructor(faces, sight, vertices) {
    this.faces = faces;
    this.screen = sight.seenAll(vertices, new Float64Array(vertices.length));
    this.box = [Infinity, Infinity, -Infinity, -Infinity];
    this.#project(sight.camera);
  }

  #project({ focalLength, principalPoint }) {
    const [cx, cy] = principalPoint;
    const { screen, box } = this;
    for (let v = 0; v < screen.length; v += 3) {
      const z = screen[v + 2];
      const x = (screen[v] = (screen[v] / z) * focalLength + cx);
      const y = (screen[v + 1] = (screen[v + 1] / z) * focalLength + cy);
      if (z <= 0) continue;
      if (x < box[0]) box[0] = x;
      if (y < box[1]) box[1] = y;
      if (x > box[2]) box[2] = x;
      if (y > box[3]) box[3] = y;
    }
  }

  /**
   * Return the depth of the nearest face at a pixel, metres; Infinity if there is none.
   * @param {number[]} pixel
   * @param {(face: number) => boolean} [counts] which faces do; all, if it is not given
   */
  depthAt([x, y], counts) {
    const { box, faces } = this;
    if (x < box[0] || y < box[1] || x > box[2] || y > box[3]) return Infinity;
    let nearest = Infinity;
    for (let face = 0; 3 * face < faces.length; face++) {
      const depth = this.#faceDepth(3 * face, x, y);
      if (depth < nearest && (!counts || counts(face))) nearest = depth;
    }
    return nearest;
  }

  /** Return a face's depth at a pixel, metres; Infinity beside it. Written out, because it runs for every keypoint. */
  #faceDepth(corner, x, y) {
    const { screen: s, faces } = this;
    const [a, b, c] = [3 * faces[corner], 3 * faces[corner + 1], 3 * faces[corner + 2]];
    const [ax, bx, cx] = [s[a] - x, s[b] - x, s[c] - x];
    if (Math.min(ax, bx, cx) > 0 || Math.max(ax, bx, cx) < 0) return Infinity;
    const [ay, by, cy] = [s[a + 1] - y, s[b + 1] - y, s[c + 1] - y];
    const [u, v, w] = [bx * cy - cx * by, cx * ay - ax * cy, ax * by - bx * ay];
    // Of one sign, or the pixel is beside the face.
    if (Math.min(u, v, w) < 0 && Math.max(u, v, w) > 0) return Infinity;
    const depth = (u * s[a + 2] + v * s[b + 2] + w * s[c + 2]) / (u + v + w);
    return depth > 0 ? depth : Infinity;
  }
}

/** A hand as it is seen. */
export class SeenHand extends SeenMesh {
  /**
   * Look at a hand.
   * @param {import("./hand_model.js").HandModel} model
   * @param {import("./sight.js").Sight} sight
   * @param {Float64Array} vertices metres in the scene's frame
   * @param {number[][]} keypoints likewise
   */
  constructor(model, sight, vertices, keypoints) {
    super(model.faces, sight, vertices);
    this.model = model;
    /** Pixel and depth of each keypoint. */
    this.keypoints = keypoints.map((point) => sight.project(point));
  }

  /** Return the depth of the nearest skin at a pixel, but for that around some joints, metres; Infinity for none. */
  depthWithout(pixel, joints) {
    const { partIds, numFaces } = this.model;
    return this.depthAt(pixel, (face) => !joints.has(face < numFaces ? partIds[face] : PALM));
  }
}

/** An object in a hand as it is seen, and where its middle is. */
export class SeenObject extends SeenMesh {
  /**
   * Look at an object.
   * @param {import("./objects.js").ObjectShape} shape
   * @param {import("./sight.js").Sight} sight
   * @param {Float64Array} vertices metres in the scene's frame
   * @param {number[]} middle likewise
   */
  constructor(shape, sight, vertices, middle) {
    super(shape.faces, sight, vertices);
    /** Its pixel and depth. */
    this.middle = sight.project(middle);
  }
}

/**
 * Tell which keypoints of hands are hidden behind other skin than their own, or behind objects.
 * @param {SeenHand[]} hands
 * @param {Array<SeenObject | null>} objects
 * @returns {boolean[][]} of each hand's keypoints
 */
export const hiddenKeypoints = (hands, objects = []) =>
  hands.map((hand) =>
    hand.keypoints.map(([x, y, depth], keypoint) => {
      const isBefore = (at) => at < depth - ITS_OWN;
      return (
        hands.some((other) =>
          isBefore(other === hand ? other.depthWithout([x, y], AROUND[keypoint]) : other.depthAt([x, y])),
        ) || objects.some((object) => object && isBefore(object.depthAt([x, y])))
      );
    }),
  );

/** Return the mesh that is nearest at a pixel; -1 if there is none. Some may be missing. */
export function nearestAt(meshes, pixel) {
  const depths = meshes.map((mesh) => mesh?.depthAt(pixel) ?? Infinity);
  const nearest = Math.min(Infinity, ...depths);
  return nearest === Infinity ? -1 : depths.indexOf(nearest);
}
