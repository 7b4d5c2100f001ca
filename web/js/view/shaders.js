// What the graphics card does: hands as a matte surface, as their depth, or as their normals, as in sesahand/render.

export const VERTEX = `#version 300 es
uniform mat4 clip;
in vec3 position;
in vec3 normal;
in float sunk;
out vec3 at;
out vec3 facing;
out float inside;
void main() {
  at = position;
  facing = normal;
  inside = sunk;
  gl_Position = clip * vec4(position, 1.0);
}`;

/** Numbers of what is shown. */
export const SHOWN = Object.freeze({ hand: 0, depth: 1, normal: 2, metres: 3 });

export const FRAGMENT = `#version 300 es
precision highp float;
in vec3 at;
in vec3 facing;
in float inside;
uniform int shown;
uniform vec3 tint;
uniform vec2 span;
out vec4 colour;
void main() {
  vec3 n = normalize(facing);
  if (shown == ${SHOWN.depth}) {
    float away = span.y > span.x ? clamp((at.z - span.x) / (span.y - span.x), 0.0, 1.0) : 0.0;
    colour = vec4(vec3(1.0 - 0.8 * away), 1.0);
  } else if (shown == ${SHOWN.normal}) {
    colour = vec4(n * -0.5 + 0.5, 1.0);
  } else if (shown == ${SHOWN.metres}) {
    colour = vec4(at.z, 0.0, 0.0, 1.0);
  } else {
    vec3 ray = normalize(at);
    float light = 0.5 + 0.5 * clamp(-dot(n, ray), 0.0, 1.0);
    // A little light from above, so that fingers before the palm stand out.
    light += 0.14 * clamp(-n.y, 0.0, 1.0) - 0.1 * clamp(n.y, 0.0, 1.0);
    colour = vec4(mix(tint, vec3(0.93, 0.1, 0.12), clamp(inside, 0.0, 1.0)) * light, 1.0);
  }
}`;
