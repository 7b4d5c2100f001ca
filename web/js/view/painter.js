// All hands and objects of all editors of a page, drawn by one WebGL2 context: browsers take the oldest away when there
// are too many.
import { FRAGMENT, SHOWN, VERTEX } from "./shaders.js";

/**
 * @typedef {object} Mesh one hand or object in the frame that it is looked at from
 * @property {Float32Array} positions three numbers a vertex, metres: x right, y down, z forward
 * @property {Float32Array} normals three numbers a vertex
 * @property {Float32Array} sunk one number a vertex: how far it is to be drawn as sunk into something, 0 to 1
 * @property {Uint16Array} index three corners a face
 * @property {number[]} tint red, green and blue, 0 to 1
 * @property {number[]} span least and most depth that it is thought to be seen at, metres
 * @property {number} [holder] of an object, the place of the hand's mesh that holds it; the two have one span
 */

const UNIFORMS = ["clip", "shown", "tint", "span"];
const ATTRIBUTES = Object.freeze({ position: 3, normal: 3, sunk: 1 });
// Pixels of the picture whose depths are read back.
const READ_SIDE = 192;

/** Return a compiled shader. */
function compile(gl, kind, source) {
  const shader = gl.createShader(kind);
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  return shader;
}

/** The context, what it draws with, and how often it drew. */
export class Painter {
  #listeners = new Set();
  #depths = null;

  /**
   * Get a context.
   * @param {HTMLCanvasElement} canvas of its own, never shown
   * @throws {Error} if the browser has no WebGL2
   */
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { alpha: true, antialias: true, premultipliedAlpha: true });
    if (!this.gl) throw new Error("This browser has no WebGL2.");
    this.lost = false;
    this.stats = { draws: 0, pictures: 0 };
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      this.#change(true);
    });
    canvas.addEventListener("webglcontextrestored", () => {
      this.#build();
      this.#change(false);
    });
    this.#build();
  }

  /** Call a listener when the context is lost or back; returns what ends that. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #change(lost) {
    this.lost = lost;
    for (const listener of [...this.#listeners]) listener();
  }

  #build() {
    const { gl } = this;
    const program = gl.createProgram();
    gl.attachShader(program, compile(gl, gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(program, compile(gl, gl.FRAGMENT_SHADER, FRAGMENT));
    Object.keys(ATTRIBUTES).forEach((name, place) => gl.bindAttribLocation(program, place, name));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(`The hands' shaders do not work here: ${gl.getProgramInfoLog(program)}`);
    }
    this.program = program;
    this.places = Object.fromEntries(UNIFORMS.map((name) => [name, gl.getUniformLocation(program, name)]));
    this.buffers = Object.fromEntries([...Object.keys(ATTRIBUTES), "index"].map((name) => [name, gl.createBuffer()]));
    this.#depths = null;
  }

  /**
   * Draw meshes and copy the picture into a canvas, over what is there.
   * @param {CanvasRenderingContext2D} target
   * @param {{clip: number[], shown: string, meshes: Mesh[], width: number, height: number, alpha?: number}} picture
   * @returns {boolean} whether there is a context to draw with
   */
  paint(target, { clip, shown, meshes, width, height, alpha = 1 }) {
    const { gl, canvas } = this;
    if (this.lost || gl.isContextLost()) return false;
    // It only ever grows: a canvas that changes its size is allocated anew.
    if (canvas.width < width) canvas.width = width;
    if (canvas.height < height) canvas.height = height;
    // Before the picture, because it is done by the same context.
    const spans = shown === "depth" ? this.#spans(meshes, clip) : meshes.map(({ span }) => span);
    this.#start(width, height, clip, SHOWN[shown]);
    meshes.forEach((mesh, n) => this.#draw(mesh, spans[n]));
    this.stats.pictures += 1;
    target.save();
    target.globalAlpha = alpha;
    // The drawing buffer's origin is at the bottom left.
    target.drawImage(canvas, 0, canvas.height - height, width, height, 0, 0, width, height);
    target.restore();
    return true;
  }

  /** Make ready for a picture of a size. */
  #start(width, height, clip, shown) {
    const { gl, places } = this;
    gl.viewport(0, 0, width, height);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.useProgram(this.program);
    gl.uniformMatrix4fv(places.clip, false, clip);
    gl.uniform1i(places.shown, shown);
  }

  #draw(mesh, span) {
    const { gl, places, buffers } = this;
    const data = { position: mesh.positions, normal: mesh.normals, sunk: mesh.sunk };
    gl.uniform3fv(places.tint, mesh.tint);
    gl.uniform2fv(places.span, span);
    Object.entries(ATTRIBUTES).forEach(([name, size], place) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
      gl.bufferData(gl.ARRAY_BUFFER, data[name], gl.STREAM_DRAW);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, size, gl.FLOAT, false, 0, 0);
    });
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers.index);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, mesh.index, gl.STREAM_DRAW);
    gl.drawElements(gl.TRIANGLES, mesh.index.length, gl.UNSIGNED_SHORT, 0);
    this.stats.draws += 1;
  }

  /** Return a small picture of depths in metres to draw into, or null where there are none. */
  #depthPicture() {
    const { gl } = this;
    if (this.#depths || !gl.getExtension("EXT_color_buffer_float")) return this.#depths;
    const frame = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    for (const [point, format] of [
      [gl.COLOR_ATTACHMENT0, gl.RGBA32F],
      [gl.DEPTH_ATTACHMENT, gl.DEPTH_COMPONENT24],
    ]) {
      const buffer = gl.createRenderbuffer();
      gl.bindRenderbuffer(gl.RENDERBUFFER, buffer);
      gl.renderbufferStorage(gl.RENDERBUFFER, format, READ_SIDE, READ_SIDE);
      gl.framebufferRenderbuffer(gl.FRAMEBUFFER, point, gl.RENDERBUFFER, buffer);
    }
    this.#depths = { frame, pixels: new Float32Array(4 * READ_SIDE * READ_SIDE) };
    return this.#depths;
  }

  /** Return the depths that each mesh's grays span: those of a hand and of what it holds together. */
  #spans(meshes, clip) {
    const spans = meshes.map((mesh) => this.#seenSpan(mesh, clip));
    meshes.forEach(({ holder }, n) => {
      if (holder === undefined) return;
      const [a, b] = [spans[n], spans[holder]];
      spans[n] = spans[holder] = [Math.min(a[0], b[0]), Math.max(a[1], b[1])];
    });
    return spans;
  }

  /** Return the least and the most depth that is seen of a mesh alone, by which Python shades its map. */
  #seenSpan(mesh, clip) {
    const { gl } = this;
    const depths = this.#depthPicture();
    if (!depths) return mesh.span;
    gl.bindFramebuffer(gl.FRAMEBUFFER, depths.frame);
    this.#start(READ_SIDE, READ_SIDE, clip, SHOWN.metres);
    this.#draw(mesh, mesh.span);
    gl.readPixels(0, 0, READ_SIDE, READ_SIDE, gl.RGBA, gl.FLOAT, depths.pixels);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    let [near, far] = [Infinity, -Infinity];
    for (let k = 0; k < depths.pixels.length; k += 4) {
      if (depths.pixels[k] <= 0) continue;
      near = Math.min(near, depths.pixels[k]);
      far = Math.max(far, depths.pixels[k]);
    }
    return near < far ? [near, far] : mesh.span;
  }
}

const painters = new WeakMap();

/** Return the painter of a page, or null if it cannot have one. */
export function painterOf(page) {
  if (!painters.has(page)) {
    let painter = null;
    try {
      painter = new Painter(page.createElement("canvas"));
    } catch {
      // Handles and sliders work without.
    }
    painters.set(page, painter);
  }
  return painters.get(page);
}
