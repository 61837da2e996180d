// The programs of the graphics card, and where their parameters are.

const POINTS = `#version 300 es
precision highp float;
precision highp int;
layout(location = 0) in vec3 position;
layout(location = 1) in int region;
layout(location = 2) in vec3 normal;
layout(location = 3) in vec3 photo;
uniform mat4 camera;
uniform vec3 eye;
uniform vec3 low;
uniform vec3 side;
uniform float size;
uniform int selected;
uniform int usePhoto;
uniform int hasPhoto;
uniform sampler2D palette;
flat out vec3 color;
flat out uint id;
const vec3 LAMP = vec3(0.36, 0.48, 0.8); // parallel to no wall, floor or table top, so that all look different
void main() {
  vec4 own = texelFetch(palette, ivec2(region & 1023, region >> 10), 0);
  vec3 place = low + position * side;
  gl_Position = camera * vec4(place, 1.0);
  gl_PointSize = clamp(size / gl_Position.w, 1.5, 14.0) + float(selected);
  float shade = 0.55 + 0.45 * abs(dot(normal, LAMP));
  bool hidden = own.a == 0.0 || (own.a < 0.9 && dot(normal, eye - place) < 0.0);
  float light = hasPhoto == 1 ? dot(photo, vec3(0.3, 0.6, 0.1)) * 0.7 + 0.6 : 1.0;
  color = own.rgb * shade * min(light, 1.2);
  if (usePhoto == 1) color = hasPhoto == 1 ? photo : vec3(shade);
  if (selected == 1) color = vec3(1.0, 0.94, 0.24) * (0.4 + 0.6 * shade);
  else if (hidden) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  id = uint(region + 1);
}`;

const POINT_PIXELS = `#version 300 es
precision highp float;
precision highp int;
flat in vec3 color;
flat in uint id;
layout(location = 0) out vec4 shown;
layout(location = 1) out uint region;
void main() {
  shown = vec4(color, 1.0);
  region = id;
}`;

const LINES = `#version 300 es
precision highp float;
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 given;
uniform mat4 camera;
out vec3 color;
void main() {
  color = given;
  gl_Position = camera * vec4(position, 1.0);
}`;

const LINE_PIXELS = `#version 300 es
precision highp float;
in vec3 color;
out vec4 shown;
void main() {
  shown = vec4(color, 1.0);
}`;

export function pointProgram(gl) {
  const program = built(gl, POINTS, POINT_PIXELS);
  const of = (name) => gl.getUniformLocation(program, name);
  return {
    program,
    camera: of("camera"),
    eye: of("eye"),
    low: of("low"),
    side: of("side"),
    size: of("size"),
    selected: of("selected"),
    photo: of("usePhoto"),
    hasPhoto: of("hasPhoto"),
  };
}

export function lineProgram(gl) {
  const program = built(gl, LINES, LINE_PIXELS);
  const array = gl.createVertexArray();
  const draw = (buffer, count) => {
    gl.bindVertexArray(array);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    for (const [place, offset] of [
      [0, 0],
      [1, 12],
    ]) {
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 24, offset);
    }
    gl.drawArrays(gl.LINES, 0, count);
    gl.bindVertexArray(null);
  };
  return { program, camera: gl.getUniformLocation(program, "camera"), draw };
}

function built(gl, vertices, pixels) {
  const program = gl.createProgram();
  for (const [kind, text] of [
    [gl.VERTEX_SHADER, vertices],
    [gl.FRAGMENT_SHADER, pixels],
  ]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS))
    throw new Error(`This browser cannot draw the scene: ${gl.getProgramInfoLog(program)}`);
  return program;
}
