// Points on the graphics card, and where those of each region are.

export class Cloud {
  constructor(gl, points, regions) {
    this.gl = gl;
    this.count = points.region.length;
    this.low = points.low;
    this.side = points.side;
    this.hasPhoto = points.rgb !== undefined;
    this.listByRegion(points.region, regions);
    this.array = gl.createVertexArray();
    gl.bindVertexArray(this.array);
    this.buffers = [this.attribute(0, points.xyz, 3, gl.UNSIGNED_SHORT), this.attribute(2, points.normal, 3, gl.BYTE)];
    this.buffers.push(this.wholeNumbers(1, points.region));
    if (this.hasPhoto) this.buffers.push(this.attribute(3, points.rgb, 3, gl.UNSIGNED_BYTE));
    const chosen = gl.createBuffer();
    this.buffers.push(chosen);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, chosen); // stays bound to the vertex array, for drawRegions
    gl.bindVertexArray(null);
  }

  attribute(place, values, size, type) {
    const gl = this.gl;
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, true, 0, 0);
    return buffer;
  }

  wholeNumbers(place, values) {
    const gl = this.gl;
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribIPointer(place, 1, gl.INT, 0, 0);
    return buffer;
  }

  // Points in the order of their regions: those of region r are order[starts[r]] to order[starts[r + 1] - 1].
  listByRegion(region, regions) {
    this.starts = new Uint32Array(regions + 1);
    for (const one of region) this.starts[one + 1] += 1;
    for (let r = 0; r < regions; r++) this.starts[r + 1] += this.starts[r];
    const next = this.starts.slice();
    this.order = new Uint32Array(region.length);
    region.forEach((one, i) => {
      this.order[next[one]++] = i;
    });
  }

  use(program) {
    const gl = this.gl;
    gl.bindVertexArray(this.array);
    gl.uniform3fv(program.low, this.low);
    gl.uniform3fv(program.side, this.side);
    gl.uniform1i(program.hasPhoto, this.hasPhoto ? 1 : 0);
  }

  draw(program, first, end) {
    this.use(program);
    this.gl.drawArrays(this.gl.POINTS, first, end - first);
    this.gl.bindVertexArray(null);
  }

  drawRegions(program, regions) {
    const gl = this.gl;
    const parts = regions.map((r) => this.order.subarray(this.starts[r], this.starts[r + 1]));
    const all = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let end = 0;
    for (const part of parts) {
      all.set(part, end);
      end += part.length;
    }
    if (end === 0) return;
    this.use(program);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, all, gl.STREAM_DRAW);
    gl.drawElements(gl.POINTS, end, gl.UNSIGNED_INT, 0);
    gl.bindVertexArray(null);
  }

  free() {
    this.buffers.forEach((buffer) => this.gl.deleteBuffer(buffer));
    this.gl.deleteVertexArray(this.array);
  }
}
