// Requests to the server of this page, and arrays out of its answers.

const TYPES = {
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int32: Int32Array,
};

// What the server refused, or that it did not answer; `kind` says which.
export class Refusal extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

export async function readJson(path, superpoints) {
  return (await answer(path, { headers: known(superpoints) })).json();
}

export async function readArrays(path, superpoints) {
  return unpacked(await (await answer(path, { headers: known(superpoints) })).arrayBuffer());
}

export async function send(path, values) {
  return (await post(path, values)).json();
}

export async function sendForArrays(path, values) {
  return unpacked(await (await post(path, values)).arrayBuffer());
}

function post(path, values) {
  return answer(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(values),
  });
}

function known(superpoints) {
  return superpoints === undefined ? {} : { "X-Superpoints": superpoints };
}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal(
      "gone",
      "boxgp review does not answer. If it was ended, start it again and open its new link: all corrections that were made are saved.",
    );
  }
  if (response.ok) return response;
  const text = await response.text();
  let values = { kind: "request", message: text.trim() };
  try {
    values = JSON.parse(text);
  } catch {
    // a refusal of the guard is plain text
  }
  throw new Refusal(values.kind, values.message);
}

// The counterpart of stages/review/packing.py: pack.
function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let offset = 4 + length;
  const found = { ...head };
  for (const [name, dtype, size] of head.arrays) {
    const type = TYPES[dtype];
    found[name] = new type(buffer, offset, size);
    offset += Math.ceil((size * type.BYTES_PER_ELEMENT) / 4) * 4;
  }
  return found;
}
