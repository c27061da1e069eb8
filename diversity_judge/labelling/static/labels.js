// One sheet: items {id, problem, left, right}; what is said of them is kept in localStorage at once, and saved as CSV.
const sheet = JSON.parse(document.getElementById('data').textContent);
const place = `diversity_judge labels ${sheet.name}`;
const at = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll('.score')];
const state = load();

function load() {
  const empty = { annotator: '', current: 0, scores: {}, history: [] };
  try {
    return { ...empty, ...JSON.parse(localStorage.getItem(place) || '{}') };
  } catch {
    return empty;
  }
}

function keep() {
  try {
    localStorage.setItem(place, JSON.stringify(state));
  } catch {
    complain('This browser keeps nothing of this page: save the answers before it is closed.');
  }
}

function complain(text) {
  at('trouble').textContent = text;
  at('trouble').hidden = text === '';
}

const answered = () => sheet.items.filter((item) => item.id in state.scores).length;

function show() {
  const item = sheet.items[state.current];
  at('problem').hidden = item.problem === null;
  at('problem-text').textContent = item.problem ?? '';
  for (const side of ['left', 'right']) {
    at(side).textContent = item[side];
    at(side).scrollTop = 0;
  }
  refresh();
}

function refresh() {
  const item = sheet.items[state.current];
  const done = answered();
  for (const button of buttons) {
    button.setAttribute('aria-pressed', String(state.scores[item.id] === Number(button.dataset.score)));
  }
  at('bar').value = done;
  at('count').textContent = `page ${state.current + 1} of ${sheet.items.length}, ${done} answered`;
  at('undo').disabled = state.history.length === 0;
  at('open').disabled = done === sheet.items.length;
  at('back').disabled = state.current === 0;
  at('next').disabled = state.current === sheet.items.length - 1;
  at('done').hidden = done < sheet.items.length;
}

function go(index) {
  state.current = Math.min(Math.max(index, 0), sheet.items.length - 1);
  keep();
  show();
  window.scrollTo(0, 0);
}

function nextOpen() {
  const n = sheet.items.length;
  for (let step = 1; step <= n; step += 1) {
    const index = (state.current + step) % n;
    if (!(sheet.items[index].id in state.scores)) return go(index);
  }
  return refresh();
}

function answer(score) {
  if (state.annotator === '') {
    complain('Write your name or initials first, so that answers of several people can be told apart.');
    at('annotator').focus();
    return;
  }
  const { id } = sheet.items[state.current];
  state.history.push([state.current, state.scores[id] ?? null]);
  state.scores[id] = score;
  keep();
  nextOpen();
}

function undo() {
  const last = state.history.pop();
  if (last === undefined) return;
  const [index, before] = last;
  const { id } = sheet.items[index];
  if (before === null) delete state.scores[id];
  else state.scores[id] = before;
  go(index);
}

function cell(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csv() {
  const rows = sheet.items.map((item) => [sheet.name, item.id, state.annotator, String(state.scores[item.id] ?? '')]);
  return [['sheet', 'item', 'annotator', 'score'], ...rows].map((row) => `${row.map(cell).join(',')}\n`).join('');
}

function save() {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([csv()], { type: 'text/csv' }));
  link.download = `labels-${sheet.name}-${state.annotator.replace(/[^A-Za-z0-9]+/g, '_') || 'nobody'}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function named() {
  state.annotator = at('annotator').value.trim();
  if (state.annotator !== '') complain('');
  keep();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target === at('annotator')) return;
  const acts = { u: undo, s: save, ArrowLeft: () => go(state.current - 1), ArrowRight: () => go(state.current + 1) };
  const act = /^[0-5]$/.test(event.key) ? () => answer(Number(event.key)) : acts[event.key] ?? acts[event.key.toLowerCase()];
  if (act === undefined) return;
  event.preventDefault();
  act();
}

at('annotator').value = state.annotator;
at('annotator').addEventListener('input', named);
at('annotator').addEventListener('change', () => { at('rules').open = state.annotator === ''; });
at('annotator').addEventListener('keydown', (event) => { if (event.key === 'Enter') event.target.blur(); });
for (const button of buttons) button.addEventListener('click', () => answer(Number(button.dataset.score)));
at('save').addEventListener('click', save);
at('undo').addEventListener('click', undo);
at('open').addEventListener('click', nextOpen);
at('back').addEventListener('click', () => go(state.current - 1));
at('next').addEventListener('click', () => go(state.current + 1));
document.addEventListener('keydown', pressed);
at('main').hidden = at('scale').hidden = false;
at('rules').open = state.annotator === '';
state.current = Math.min(state.current, sheet.items.length - 1);
show();
document.documentElement.dataset.ready = '1';
