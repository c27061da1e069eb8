// What the page was made from: the index, read at once, and the texts of each problem, unpacked when they are needed.
const index = JSON.parse(document.getElementById('index').textContent);
const unpacked = new Map();

/** The texts of a problem; the promise is kept, so that each is unpacked once. */
function textsOf(problem) {
  if (!unpacked.has(problem)) unpacked.set(problem, unpack(document.getElementById(`texts-${problem}`).textContent));
  return unpacked.get(problem);
}

async function unpack(base64) {
  if (typeof DecompressionStream === 'undefined') {
    throw new Error('This browser cannot unpack the texts; one of 2023 or later can.');
  }
  const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return whole(JSON.parse(await new Response(stream).text()));
}

/** The texts of a problem, the paragraphs that several of them share put back in. */
function whole(texts) {
  const expand = parts => {
    const found = [];
    for (const part of parts.flatMap(part => (typeof part === 'number' && part < 0 ? texts.paragraphs[-1 - part] : [part]))) {
      if (typeof part === 'string' && typeof found.at(-1) === 'string') found[found.length - 1] += part;
      else found.push(part);
    }
    return found;
  };
  texts.problem = expand(texts.problem);
  for (const {responses, replies} of Object.values(texts.groups)) {
    for (const response of responses) response.text = expand(response.text);
    replies.forEach((reply, k) => {
      if (reply) replies[k] = reply.map(parts => parts && expand(parts));
    });
  }
  return texts;
}

/** An element with a class and a text; strangers' texts come in here and in `show` only, and as text nodes only. */
function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Puts a text into a place: its plain parts as text, its formulas as MathML or as the TeX that they were. */
function show(place, parts, formulas, asSource) {
  const isBlock = part => typeof part === 'number' && !asSource && Boolean(formulas[part][1][1]?.display);
  const nodes = parts.map((part, number) => {
    if (typeof part === 'number') {
      const [source, tree] = formulas[part];
      return asSource ? document.createTextNode(source) : mathematics(tree);
    }
    // A block formula brings its own distance: blank lines beside it would add to that.
    if (isBlock(parts[number + 1])) part = part.trimEnd();
    if (isBlock(parts[number - 1])) part = part.trimStart();
    return document.createTextNode(part);
  });
  place.replaceChildren(...nodes);
}

function mathematics([name, attributes, ...children]) {
  const made = document.createElementNS('http://www.w3.org/1998/Math/MathML', name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  for (const child of children) made.append(typeof child === 'string' ? child : mathematics(child));
  return made;
}
