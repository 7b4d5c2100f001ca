// The pack's own hand: linear blend skinning in float64, as sesahand/hands/model.py does it.
import { InvalidFileError } from "./errors.js";
import { rightPose } from "./hand.js";
import { closeBoundary } from "./mesh.js";
import { mirrorRotation, multiply, rotate } from "./rotations.js";
import { readSafetensors } from "./safetensors.js";
import { FINGERS, MANO_PARENTS, NUM_BETAS, NUM_JOINTS, OPENPOSE_FROM_MANO } from "./skeleton.js";
import { add, mirrorVector, scale, subtract } from "./vectors.js";

// Vertex ids are 16-bit numbers in the file.
const MAX_VERTICES = 0x8000;

/**
 * Throw, with what to do about it.
 * @param {string} problem
 * @returns {never}
 */
function refuse(problem) {
  throw new InvalidFileError(`This is not the hand of SesaHand: ${problem}. Load it again, or reinstall SesaHand.`);
}

/** Return the values of a tensor that must have a shape, whose numbers must lie within bounds. */
function values(tensors, name, shape, least = -Infinity, most = Infinity) {
  const tensor = Object.hasOwn(tensors, name) ? tensors[name] : refuse(`it has no ${name}`);
  if (tensor.shape.join() !== shape.join()) refuse(`${name} has the shape ${tensor.shape}, expected ${shape}`);
  if (!tensor.values.every((value) => Number.isFinite(value) && value >= least && value <= most)) {
    refuse(`${name} holds impossible numbers`);
  }
  return tensor.values;
}

/** Return a count that the file's header states. */
function count(metadata, name, most) {
  const stated = Number(metadata?.[name]);
  return Number.isSafeInteger(stated) && stated > 0 && stated <= most
    ? stated
    : refuse(`${name} is ${metadata?.[name]}`);
}

/** Return, for each vertex, the joints that move it and their shares, which sum to one. */
function influences(weights, numVertices) {
  return Array.from({ length: numVertices }, (_, vertex) => {
    const row = weights.subarray(vertex * NUM_JOINTS, (vertex + 1) * NUM_JOINTS);
    const sum = row.reduce((total, weight) => total + weight, 0);
    if (!(sum > 0)) refuse(`nothing moves its vertex ${vertex}`);
    return [...row.keys()].filter((joint) => row[joint] > 0).map((joint) => ({ joint, share: row[joint] / sum }));
  });
}

/** Return rest positions of a shape: the mean ones, moved by each beta. */
function shaped(template, shapedirs, betas, length) {
  const moved = new Float64Array(length);
  for (let k = 0; k < length; k++) {
    let value = template[k];
    for (let b = 0; b < NUM_BETAS; b++) value += shapedirs[k * NUM_BETAS + b] * betas[b];
    moved[k] = value;
  }
  return moved;
}

/** Return a row of three out of a flat list of rows. */
export const rowOf = (flat, row) => [flat[3 * row], flat[3 * row + 1], flat[3 * row + 2]];

/** The data of one right hand, without its forearm; left hands are its mirror image. */
export class HandModel {
  #rests = new WeakMap();

  /**
   * Read the hand.
   * @param {ArrayBuffer} buffer the bytes of the pack's hand.safetensors
   * @throws {InvalidFileError} if they are anything else
   */
  constructor(buffer) {
    const { metadata, tensors } = readSafetensors(buffer);
    const total = tensors.template?.shape[0] ?? refuse("it has no template");
    const totalFaces = tensors.faces?.shape[0] ?? refuse("it has no faces");
    if (total > MAX_VERTICES) refuse(`it has ${total} vertices`);
    this.name = typeof metadata?.name === "string" ? metadata.name : refuse("it has no name");
    this.numVertices = count(metadata, "num_hand_vertices", total);
    this.numFaces = count(metadata, "num_hand_faces", totalFaces);
    this.template = values(tensors, "template", [total, 3]);
    this.shapedirs = values(tensors, "shapedirs", [total, 3, NUM_BETAS]);
    this.jointTemplate = values(tensors, "joint_template", [NUM_JOINTS, 3]);
    this.jointShapedirs = values(tensors, "joint_shapedirs", [NUM_JOINTS, 3, NUM_BETAS]);
    this.tips = [...values(tensors, "tips", [FINGERS.length], 0, this.numVertices - 1)];
    this.partIds = values(tensors, "part_ids", [totalFaces], 0, NUM_JOINTS - 1).subarray(0, this.numFaces);
    this.influences = influences(values(tensors, "weights", [total, NUM_JOINTS], 0), this.numVertices);
    const faces = values(tensors, "faces", [totalFaces, 3], 0, total - 1).subarray(0, 3 * this.numFaces);
    if (faces.some((vertex) => vertex >= this.numVertices)) refuse("its faces reach into the forearm");
    /** Faces of a right hand with the wrist's hole closed, counter-clockwise seen from outside. */
    this.faces = closeBoundary(faces);
  }

  /** Return rest vertices and joints of a shape, metres; kept as long as the betas are. */
  rest(betas) {
    if (!this.#rests.has(betas)) {
      const vertices = shaped(this.template, this.shapedirs, betas, 3 * this.numVertices);
      this.#rests.set(betas, {
        vertices,
        joints: shaped(this.jointTemplate, this.jointShapedirs, betas, 3 * NUM_JOINTS),
      });
    }
    return this.#rests.get(betas);
  }

  /**
   * Pose the joints of a hand.
   * @param {import("./hand.js").Hand} hand of either side
   * @returns {{rotations: number[][], positions: number[][]}} of each joint in the frame of the right hand that the
   *   hand is or mirrors, before its translation, metres
   */
  chain(hand) {
    const { joints } = this.rest(hand.betas);
    const root = hand.side === "right" ? hand.globalOrient : mirrorRotation(hand.globalOrient);
    const local = [root, ...rightPose(hand)];
    const rotations = [root];
    const positions = [rowOf(joints, 0)];
    for (let joint = 1; joint < NUM_JOINTS; joint++) {
      const parent = MANO_PARENTS[joint];
      const bone = subtract(rowOf(joints, joint), rowOf(joints, parent));
      positions.push(add(positions[parent], rotate(rotations[parent], bone)));
      rotations.push(multiply(rotations[parent], local[joint]));
    }
    return { rotations, positions };
  }

  /** Return where posed joints bring a vertex, in the frame of `chain`. */
  skin(vertex, betas, { rotations, positions }) {
    const { vertices, joints } = this.rest(betas);
    let moved = [0, 0, 0];
    for (const { joint, share } of this.influences[vertex]) {
      const arm = subtract(rowOf(vertices, vertex), rowOf(joints, joint));
      moved = add(moved, scale(add(rotate(rotations[joint], arm), positions[joint]), share));
    }
    return moved;
  }

  /**
   * Return the vertices of a hand.
   * @param {import("./hand.js").Hand} hand
   * @param {Float64Array | Float32Array} out three numbers a vertex, filled and returned
   * @returns {Float64Array | Float32Array} metres in the camera's frame
   */
  vertices(hand, out = new Float64Array(3 * this.numVertices)) {
    const { vertices, joints } = this.rest(hand.betas);
    const { rotations, positions } = this.chain(hand);
    const shifts = rotations.map((turn, joint) => subtract(positions[joint], rotate(turn, rowOf(joints, joint))));
    const sign = hand.side === "right" ? 1 : -1;
    const [tx, ty, tz] = hand.translation;
    // Written out, because it runs for every vertex of every frame.
    for (let v = 0; v < this.numVertices; v++) {
      const [x, y, z] = [vertices[3 * v], vertices[3 * v + 1], vertices[3 * v + 2]];
      let [a, b, c] = [0, 0, 0];
      for (const { joint, share } of this.influences[v]) {
        const turn = rotations[joint];
        const shift = shifts[joint];
        a += share * (turn[0] * x + turn[1] * y + turn[2] * z + shift[0]);
        b += share * (turn[3] * x + turn[4] * y + turn[5] * z + shift[1]);
        c += share * (turn[6] * x + turn[7] * y + turn[8] * z + shift[2]);
      }
      out[3 * v] = sign * a + tx;
      out[3 * v + 1] = b + ty;
      out[3 * v + 2] = c + tz;
    }
    return out;
  }

  /** Return a hand's 21 keypoints in OpenPose's order, metres in the camera's frame. */
  keypoints(hand) {
    const chain = this.chain(hand);
    const points = [...chain.positions, ...this.tips.map((vertex) => this.skin(vertex, hand.betas, chain))];
    return OPENPOSE_FROM_MANO.map((k) => placed(points[k], hand));
  }
}

/** Return a point of `chain`'s frame in the camera's. */
export const placed = (point, hand) => add(hand.side === "right" ? point : mirrorVector(point), hand.translation);
