// Colours, regions and depths of all pixels.

export const GROUND = [0.086, 0.094, 0.114, 1];

export class Picture {
  constructor(gl, width, height) {
    this.gl = gl;
    this.frame = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    const kinds = [
      [gl.COLOR_ATTACHMENT0, gl.RGBA8],
      [gl.COLOR_ATTACHMENT1, gl.R32UI],
      [gl.DEPTH_STENCIL_ATTACHMENT, gl.DEPTH24_STENCIL8],
    ];
    this.buffers = kinds.map(([place, format]) => {
      const buffer = gl.createRenderbuffer();
      gl.bindRenderbuffer(gl.RENDERBUFFER, buffer);
      gl.renderbufferStorage(gl.RENDERBUFFER, format, width, height);
      gl.framebufferRenderbuffer(gl.FRAMEBUFFER, place, gl.RENDERBUFFER, buffer);
      return buffer;
    });
    gl.drawBuffers([gl.COLOR_ATTACHMENT0, gl.COLOR_ATTACHMENT1]);
    gl.clearBufferfv(gl.COLOR, 0, GROUND);
    gl.clearBufferuiv(gl.COLOR, 1, [0, 0, 0, 0]);
  }

  free() {
    this.buffers.forEach((buffer) => this.gl.deleteRenderbuffer(buffer));
    this.gl.deleteFramebuffer(this.frame);
  }
}
