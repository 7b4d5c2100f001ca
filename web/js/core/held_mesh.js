// A surface of the user's own in the place of an object: read from the scene's text, written as it was read, and
// mirrored with its hand; as sesahand/hands/object_mesh.py and sesahand/scene/scene_files.py have it.
import { DistanceGrid } from "./distance_grid.js";
import { InvalidFileError } from "./errors.js";
import { fields, quoted } from "./numbers.js";
import { dot } from "./vectors.js";

const MESH_FIELDS = ["name", "vertices", "faces"];
const MAX_NAME = 80;
const MAX_FACES = 6000;
// Metres of the longest side.
const SHORTEST = 0.005;
const LONGEST = 2;
// The cosine of the angle between faces from which on the edge between them is drawn as one.
const CREASE = Math.cos((40 * Math.PI) / 180);
const MAX_AROUND = 256;
const PRINTABLE = /^(?:[^\p{C}\p{Z}]| )+$/u;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * @typedef {object} HeldMesh
 * @property {string} name
 * @property {Float32Array} vertices three numbers each, metres in the object's frame at its usual size
 * @property {Uint16Array} faces three vertex ids each, counter-clockwise seen from outside
 */

const mirrors = new WeakMap();
const texts = new WeakMap();
const shapes = new WeakMap();

/**
 * Throw, with what was got.
 * @param {string} problem
 * @returns {never}
 */
function refuse(problem) {
  throw new InvalidFileError(`${problem}. Hold Object writes such meshes.`);
}

/** Return the bytes of a text, which must be rows of a length. */
function bytesOf(text, row, label) {
  const isBase64 = typeof text === "string" && text.length % 4 === 0 && BASE64.test(text);
  const bytes = isBase64 ? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)) : null;
  if (!bytes || bytes.length % row !== 0) refuse(`${label} is no base64 of rows of three numbers`);
  return bytes.buffer;
}

/** Return the longest side of the box around vertices, metres. */
function longestSide(vertices) {
  const side = (axis) => {
    let [low, high] = [Infinity, -Infinity];
    for (let k = axis; k < vertices.length; k += 3) {
      [low, high] = [Math.min(low, vertices[k]), Math.max(high, vertices[k])];
    }
    return Math.fround(high - low);
  };
  return Math.max(side(0), side(1), side(2));
}

/**
 * Return a mesh of a scene's text.
 * @returns {HeldMesh}
 * @throws {InvalidFileError} if it is none that Python reads
 */
export function readMesh(value, label) {
  const given = fields(value, MESH_FIELDS, [], label);
  const { name } = given;
  if (typeof name !== "string" || [...name].length > MAX_NAME || !PRINTABLE.test(name)) {
    refuse(`${label}.name is ${quoted(name)}, expected 1 to ${MAX_NAME} letters`);
  }
  const vertices = new Float32Array(bytesOf(given.vertices, 12, `${label}.vertices`));
  const faces = new Uint16Array(bytesOf(given.faces, 6, `${label}.faces`));
  if (!faces.length || faces.length > 3 * MAX_FACES || vertices.length > 9 * MAX_FACES) {
    refuse(`${label} has ${faces.length / 3} faces, expected 1 to ${MAX_FACES}`);
  }
  if (faces.some((vertex) => 3 * vertex >= vertices.length)) refuse(`${label} has faces of vertices that it lacks`);
  const longest = longestSide(vertices);
  if (!vertices.every(Number.isFinite) || !(longest >= SHORTEST && longest <= LONGEST)) {
    refuse(`${label} is ${longest} m long, expected ${SHORTEST} to ${LONGEST} m`);
  }
  const mesh = { name, vertices, faces };
  texts.set(mesh, { name, vertices: given.vertices, faces: given.faces });
  return mesh;
}

/** Return a list of numbers as its bytes in base64. */
function textOf(array) {
  let letters = "";
  for (const byte of new Uint8Array(array.buffer)) letters += String.fromCharCode(byte);
  return btoa(letters);
}

/** Return the fields of a mesh as a text holds them. */
export function writeMesh(mesh) {
  const { name, vertices, faces } = mesh;
  if (!texts.has(mesh)) texts.set(mesh, { name, vertices: textOf(vertices), faces: textOf(faces) });
  return texts.get(mesh);
}

/** Return the mirror image in x, as the other hand holds it; that of the mirror image is the mesh itself. */
export function mirroredMesh(mesh) {
  if (!mirrors.has(mesh)) {
    const vertices = mesh.vertices.map((value, k) => (k % 3 === 0 ? -value : value));
    const mirrored = { name: mesh.name, vertices, faces: mesh.faces.toReversed() };
    mirrors.set(mesh, mirrored).set(mirrored, mesh);
  }
  return mirrors.get(mesh);
}

/** Return the normal of each face, of length one or zero. */
function faceNormals(p, faces) {
  return Array.from({ length: faces.length / 3 }, (_, face) => {
    const [a, b, c] = [3 * faces[3 * face], 3 * faces[3 * face + 1], 3 * faces[3 * face + 2]];
    const [ux, uy, uz] = [p[b] - p[a], p[b + 1] - p[a + 1], p[b + 2] - p[a + 2]];
    const [vx, vy, vz] = [p[c] - p[a], p[c + 1] - p[a + 1], p[c + 2] - p[a + 2]];
    const across = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    const length = Math.hypot(...across) || 1;
    return across.map((value) => value / length);
  });
}

/** Return the faces around each vertex; of very many the first, so that the work stays in proportion to the mesh. */
function facesAround(faces) {
  const around = new Map();
  faces.forEach((vertex, k) => {
    const known = around.get(vertex);
    if (!known) around.set(vertex, [Math.floor(k / 3)]);
    else if (known.length < MAX_AROUND) known.push(Math.floor(k / 3));
  });
  return around;
}

/** Return corners of their own for each face, each with the mean normal of the faces around it that it runs on into. */
function cornersOf({ vertices, faces }) {
  const normals = faceNormals(vertices, faces);
  const around = facesAround(faces);
  const out = { vertices: new Float64Array(3 * faces.length), normals: new Float64Array(3 * faces.length) };
  faces.forEach((vertex, k) => {
    const own = normals[Math.floor(k / 3)];
    const sum = [0, 0, 0];
    for (const face of around.get(vertex)) {
      if (dot(normals[face], own) > CREASE) for (let axis = 0; axis < 3; axis++) sum[axis] += normals[face][axis];
    }
    const length = Math.hypot(...sum) || 1;
    for (let axis = 0; axis < 3; axis++) {
      out.vertices[3 * k + axis] = vertices[3 * vertex + axis];
      out.normals[3 * k + axis] = sum[axis] / length;
    }
  });
  return out;
}

/** Return a mesh as what is drawn and gripped; the grid of its distances is filled when it is first asked for. */
export function meshShape(mesh) {
  if (!shapes.has(mesh)) {
    let grid = null;
    const distance = (x, y, z) => (grid ??= new DistanceGrid(mesh)).distance(x, y, z);
    const faces = Uint16Array.from({ length: mesh.faces.length }, (_, k) => k);
    shapes.set(mesh, { name: mesh.name, ...cornersOf(mesh), faces, distance });
  }
  return shapes.get(mesh);
}
