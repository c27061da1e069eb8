// The page: filters, the table of problems, links, and what is shown of the problems.
const filters = document.getElementById('filters');
const articles = [...document.querySelectorAll('article')];
const rows = articles.map(article => document.querySelector(`#table tr[data-problem="${article.dataset.problem}"]`));
const view = document.getElementById('view');
const MANY = 20;
/** The article that is shown where one is. */
let current = 0;

function hiddenStrategies() {
  return new Set([...filters.querySelectorAll('[name=strategy]')].filter(box => !box.checked).map(box => Number(box.value)));
}

/** The places of the problems that the filters leave, in the order of the table. */
function fitting() {
  const tier = filters.elements.tier?.value ?? '*';
  const lowOnly = filters.elements.low?.checked ?? false;
  const part = filters.elements.search.value.trim().toLowerCase();
  const fits = place => (tier === '*' || articles[place].dataset.tier === tier)
    && (!lowOnly || articles[place].dataset.low === '1')
    && rows[place].querySelector('a').textContent.toLowerCase().includes(part);
  const listed = [...document.querySelectorAll('#table tbody tr')].map(row => rows.indexOf(row));
  return listed.filter(fits);
}

function applyFilters() {
  const hidden = hiddenStrategies(), tier = filters.elements.tier?.value ?? '*';
  for (const place of document.querySelectorAll('[data-strategy]')) place.toggleAttribute('hidden', hidden.has(Number(place.dataset.strategy)));
  for (const place of document.querySelectorAll('[data-of-tier]')) {
    const isOther = tier !== '*' && place.dataset.ofTier !== '' && place.dataset.ofTier !== tier;
    place.hidden = isOther || hidden.has(Number(place.dataset.strategy));
  }
  const kept = fitting();
  const shown = new Set(kept);
  if (!shown.has(current) && kept.length) current = kept[0];
  articles.forEach((article, place) => {
    article.hidden = !shown.has(place) || (view.value === 'one' && place !== current);
    rows[place].hidden = !shown.has(place);
    rows[place].classList.toggle('current', view.value === 'one' && place === current);
  });
  for (const dot of document.querySelectorAll('.dot')) dot.toggleAttribute('hidden', !shown.has(Number(dot.dataset.problem)));
  document.getElementById('filtered')?.toggleAttribute('hidden', kept.length === articles.length);
  document.getElementById('count').textContent = `${kept.length} of ${articles.length} problems`;
  document.getElementById('steps').hidden = view.value === 'all';
  const printed = view.value === 'one' ? Math.min(1, kept.length) : kept.length;
  document.getElementById('prints').textContent = printed < articles.length ? `${printed} of ${articles.length} problems shown, and printed` : '';
  drawMaps();
}

/** Brings a problem into view, also one that the filters hide. */
function goTo(anchor) {
  const place = articles.findIndex(article => article.id === anchor);
  if (place < 0) return;
  current = place;
  if (!fitting().includes(place)) {
    filters.elements.search.value = '';
    if (filters.elements.tier) filters.elements.tier.value = '*';
    if (filters.elements.low) filters.elements.low.checked = false;
  }
  applyFilters();
  history.replaceState(null, '', `#${anchor}`);
  articles[place].scrollIntoView();
}

function step(by) {
  const kept = fitting();
  const next = kept[kept.indexOf(current) + by];
  if (next === undefined) return;
  current = next;
  applyFilters();
  history.replaceState(null, '', `#${articles[next].id}`);
}

/** Sorts the table by a column, and the problems below it alike; a second click turns the order round. */
function sortBy(heading) {
  const column = [...heading.parentElement.children].indexOf(heading);
  const isDown = heading.getAttribute('aria-sort') === 'ascending';
  const said = row => row.children[column].textContent.trim();
  const isNumber = rows.every(row => /^([\d.]+( %)?)?$/.test(said(row)));
  const inOrder = (one, other) => (isNumber ? parseFloat(one) - parseFloat(other) : one.localeCompare(other, 'en', {numeric: true}));
  // What has no value stands last, in either order.
  const compare = (one, other) => {
    const [a, b] = [said(one), said(other)];
    return a && b ? (isDown ? -1 : 1) * inOrder(a, b) : Number(!a) - Number(!b);
  };
  for (const other of document.querySelectorAll('#table [aria-sort]')) other.removeAttribute('aria-sort');
  heading.setAttribute('aria-sort', isDown ? 'descending' : 'ascending');
  const sorted = [...rows].sort(compare);
  document.querySelector('#table tbody').append(...sorted);
  document.getElementById('articles').append(...sorted.map(row => articles[rows.indexOf(row)]));
}

filters.addEventListener('submit', event => event.preventDefault());
filters.addEventListener('input', applyFilters);
view.addEventListener('change', applyFilters);
document.getElementById('previous').addEventListener('click', () => step(-1));
document.getElementById('next').addEventListener('click', () => step(1));
document.getElementById('order')?.addEventListener('change', event => {
  order = event.target.value;
  redrawMaps();
});
for (const button of document.querySelectorAll('#table thead button')) {
  button.addEventListener('click', () => sortBy(button.closest('th')));
}
addEventListener('hashchange', () => goTo(location.hash.slice(1)));

const theme = document.getElementById('theme');
theme.addEventListener('change', () => {
  document.documentElement.dataset.theme = theme.value;
});

for (const details of document.querySelectorAll('.statement')) {
  details.addEventListener('toggle', () => details.open && fillStatement(details));
}
for (const place of document.querySelectorAll('.map')) {
  place.addEventListener('keydown', onMapKey);
  place.addEventListener('blur', () => moveCursor(place, null));
}
for (const chart of document.querySelectorAll('.charts svg')) {
  chart.addEventListener('pointermove', event => {
    const said = event.target.dataset.tip;
    if (said) showTip([said], event.clientX, event.clientY);
    else hideTip();
  });
  chart.addEventListener('pointerleave', hideTip);
  chart.addEventListener('click', event => {
    const problem = event.target.dataset.problem;
    if (problem !== undefined) goTo(index.problems[Number(problem)]);
  });
}

view.value = articles.length > MANY ? 'one' : 'all';
applyFilters();
if (location.hash) goTo(location.hash.slice(1));
document.documentElement.dataset.ready = '1';
