// Closing the hole of an open mesh, as sesahand/hands/mesh.py does.

/** Return, by their first vertex, the second one of all edges that only one face has. */
function openEdges(faces) {
  const edges = new Set();
  const keyOf = (a, b) => a * 0x10000 + b;
  const corners = (f) => [faces[f], faces[f + 1], faces[f + 2]];
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = corners(f);
    for (const key of [keyOf(a, b), keyOf(b, c), keyOf(c, a)]) edges.add(key);
  }
  const following = new Map();
  for (const key of edges) {
    const [a, b] = [Math.floor(key / 0x10000), key % 0x10000];
    if (!edges.has(keyOf(b, a))) following.set(a, b);
  }
  return following;
}

/**
 * Close every hole of a mesh with a fan of triangles between its own vertices.
 * @param {Int32Array} faces vertex ids below 65536, three a face, of one sheet whose holes do not touch
 * @returns {Int32Array} the faces, followed by the fans'
 */
export function closeBoundary(faces) {
  const following = openEdges(faces);
  const added = [];
  while (following.size) {
    const loop = [Math.min(...following.keys())];
    // The edge that ends a loop leads back to its first vertex; one that leads nowhere ends it too.
    for (let next = following.get(loop[0]); next !== undefined && next !== loop[0]; next = following.get(next)) {
      following.delete(loop.at(-1));
      loop.push(next);
    }
    following.delete(loop.at(-1));
    for (let k = 1; k + 1 < loop.length; k++) added.push(loop[0], loop[k + 1], loop[k]);
  }
  return Int32Array.from([...faces, ...added]);
}
