// The heat maps, as SVG: sharp on paper, and light enough to be there before anybody looks or prints.
const NOT_WANTED = -1;
const SIZE = 300, LEFT = 26, FOOT = 34, MOST_TICKS = 16;
const maps = new Map();
let order = 'sample';

function svg(name, attributes, text) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** The colour of a score; one between two whole scores is a mixture of theirs. */
function hueOf(score) {
  const below = Math.min(4, Math.floor(score)), share = score - below;
  const channels = hue => [1, 3, 5].map(at => parseInt(hue.slice(at, at + 2), 16));
  const one = channels(index.hues[below]), other = channels(index.hues[below + 1]);
  return `rgb(${one.map((value, k) => Math.round(value + share * (other[k] - value))).join(' ')})`;
}

function positions(group) {
  return order === 'cluster' ? group.order : group.matrix.map((_, position) => position);
}

/** The judgments of an unordered pair, as their places in the group's lists. */
function judgmentsOf(group, a, b) {
  const found = [];
  for (let k = 0; k < group.first.length; k++) {
    const first = group.first[k], second = group.second[k];
    if ((first === a && second === b) || (first === b && second === a)) found.push(k);
  }
  return found;
}

function scoreText(group, k) {
  if (group.score[k] === null) return `no score: ${index.reasons[group.reason[k]].replaceAll('_', ' ')}`;
  return `${group.score[k]}${group.same.includes(k) ? ' (same text, no call)' : ''}`;
}

/** What a cell says, one line a judgment. */
function cellText(group, a, b) {
  const head = `responses ${a} and ${b}`;
  if (a === b) return [head, 'one and the same'];
  const cell = group.matrix[a][b];
  if (cell === NOT_WANTED) return [head, 'not judged: not in the design'];
  const judgments = judgmentsOf(group, a, b);
  const lines = [`${head}: ${cell === null ? 'no score' : `similarity ${cell}`}`];
  if (judgments.length > 1) lines.push(...judgments.map(k => `${group.first[k]} first: ${scoreText(group, k)}`));
  else if (cell === null || group.same.includes(judgments[0])) lines.push(scoreText(group, judgments[0]));
  return lines;
}

/** Cells of one colour are one shape: a map of 32 responses has a dozen of them and not a thousand. */
function cellShapes(group, at) {
  const shapes = new Map(), missing = [];
  at.forEach((a, row) => at.forEach((b, column) => {
    const cell = group.matrix[a][b];
    if (a === b || cell === NOT_WANTED) return;
    if (cell === null) missing.push([column, row]);
    else shapes.set(cell, `${shapes.get(cell) ?? ''}M${column} ${row}h1v1h-1z`);
  }));
  const made = [...shapes].map(([cell, d]) => svg('path', {d, fill: hueOf(cell), 'shape-rendering': 'crispEdges'}));
  if (missing.length) {
    made.push(svg('path', {class: 'missing', d: missing.map(([x, y]) => `M${x} ${y}h1v1h-1z`).join('')}));
    const crosses = missing.map(([x, y]) => `M${x + 0.3} ${y + 0.3}l.4 .4M${x + 0.7} ${y + 0.3}l-.4 .4`).join('');
    made.push(svg('path', {class: 'crosses', d: crosses}));
  }
  return made;
}

function tickMarks(at) {
  const n = at.length, cell = (SIZE - LEFT) / n, step = Math.ceil(n / MOST_TICKS);
  const shown = at.map((_, place) => place).filter(place => place % step === 0);
  return shown.flatMap(place => [
    svg('text', {x: LEFT + (place + 0.5) * cell, y: SIZE - LEFT + 13, 'text-anchor': 'middle'}, at[place]),
    svg('text', {x: LEFT - 5, y: (place + 0.5) * cell + 3.5, 'text-anchor': 'end'}, at[place]),
  ]);
}

function drawMap(place) {
  const group = index.groups[place.dataset.group];
  const at = positions(group), n = at.length, side = SIZE - LEFT;
  const picture = svg('svg', {viewBox: `0 0 ${SIZE} ${side + FOOT}`});
  const cells = svg('g', {transform: `translate(${LEFT} 0) scale(${side / n})`});
  cells.append(...cellShapes(group, at), svg('path', {class: 'self', d: `M0 0L${n} ${n}`}));
  const field = svg('rect', {class: 'field', x: LEFT, y: 0, width: side, height: side});
  const label = order === 'cluster' ? 'response, by cluster' : 'response';
  picture.append(cells, ...tickMarks(at), svg('text', {x: LEFT + side / 2, y: side + 29, 'text-anchor': 'middle'}, label), field);
  place.replaceChildren(picture);
  if (!maps.has(place)) listen(place);
  maps.set(place, {group, at, cells, field, cursor: null});
}

/** Draws what is shown and not drawn yet: nothing waits for being looked at, so that paper and screenshots have it. */
function drawMaps() {
  for (const place of document.querySelectorAll('article:not([hidden]) .map')) if (!maps.has(place)) drawMap(place);
}

function redrawMaps() {
  for (const place of maps.keys()) drawMap(place);
}

/** Row and column below the pointer; null outside of the cells. */
function cellAt(place, event) {
  const {field, at} = maps.get(place);
  const box = field.getBoundingClientRect();
  const column = Math.floor((event.clientX - box.left) / box.width * at.length);
  const row = Math.floor((event.clientY - box.top) / box.height * at.length);
  const isInside = [row, column].every(number => number >= 0 && number < at.length);
  return isInside ? [row, column] : null;
}

function listen(place) {
  place.addEventListener('pointermove', event => {
    const {group, at} = maps.get(place);
    const cell = cellAt(place, event);
    if (cell) showTip(cellText(group, at[cell[0]], at[cell[1]]), event.clientX, event.clientY);
    else hideTip();
  });
  place.addEventListener('pointerleave', hideTip);
  place.addEventListener('click', event => {
    const {at} = maps.get(place);
    const cell = cellAt(place, event);
    if (cell) openCell(place, at[cell[0]], at[cell[1]]);
  });
}

const MOVES = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};

function onMapKey(event) {
  const place = event.currentTarget;
  const map = maps.get(place);
  if (!map) return;
  const n = map.at.length;
  if (event.key in MOVES) {
    const [row, column] = map.cursor ?? [0, 0];
    const [down, right] = map.cursor ? MOVES[event.key] : [0, 1];
    moveCursor(place, [Math.min(n - 1, Math.max(0, row + down)), Math.min(n - 1, Math.max(0, column + right))]);
  } else if ((event.key === 'Enter' || event.key === ' ') && map.cursor) {
    openCell(place, map.at[map.cursor[0]], map.at[map.cursor[1]]);
  } else if (event.key === 'Escape') {
    moveCursor(place, null);
  } else {
    return;
  }
  event.preventDefault();
}

function moveCursor(place, cursor) {
  const map = maps.get(place);
  if (!map) return;
  map.cursor = cursor;
  for (const frame of map.cells.querySelectorAll('.cursor')) frame.remove();
  if (cursor === null) {
    hideTip();
    return;
  }
  const [row, column] = cursor, n = map.at.length;
  for (const name of ['cursor rim', 'cursor']) map.cells.append(svg('rect', {class: name, x: column, y: row, width: 1, height: 1}));
  const box = map.field.getBoundingClientRect();
  const x = box.left + (column + 1) / n * box.width, y = box.top + (row + 1) / n * box.height;
  showTip(cellText(map.group, map.at[row], map.at[column]), x, y);
}

function openCell(place, a, b) {
  const group = index.groups[place.dataset.group];
  if (a !== b) openReader(Number(place.dataset.group), group, a, b, place);
}

const tip = document.getElementById('tip');

function showTip(lines, x, y) {
  tip.replaceChildren(...lines.map(line => element('div', '', line)));
  tip.hidden = false;
  const {offsetWidth: width, offsetHeight: height} = tip;
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${y + 18 + height > innerHeight ? y - height - 10 : y + 18}px`;
}

function hideTip() {
  tip.hidden = true;
}
