const data = JSON.parse(document.getElementById('data').textContent);
const place = document.getElementById('responses');
const tip = document.getElementById('tip');
const select = document.getElementById('view');
const MISSED = 0.1;
let current = null;

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function route(experts, others) {
  const list = element('dd');
  experts.slice().sort((a, b) => a - b).forEach((expert, i) => {
    if (i) list.append(' ');
    list.append(element('span', others.includes(expert) ? '' : 'other', String(expert)));
  });
  return list;
}

function term(list, name, value) {
  list.append(element('dt', '', name));
  list.append(typeof value === 'string' ? element('dd', '', value) : value);
}

function show(token) {
  if (current) current.classList.remove('current');
  current = token;
  token.classList.add('current');
  const [r, t] = [Number(token.dataset.response), Number(token.dataset.token)];
  const [kind, standard, median, best, regret, rank, mass, own, other] = data.views[select.selectedIndex].responses[r][t];
  tip.replaceChildren();
  const head = element('div');
  head.append(element('span', 'said', JSON.stringify(data.responses[r].tokens[t])), ` ${data.classes[kind]}`);
  const list = element('dl');
  term(list, 'probability', `${standard.toFixed(3)} by the router's route`);
  term(list, '', `${median.toFixed(3)} median of a second set`);
  term(list, '', `${best.toFixed(3)} by the best alternative`);
  term(list, 'regret', `${regret.toFixed(3)} nats`);
  term(list, 'beats', `${(100 * rank).toFixed(0)} % of the alternatives`);
  term(list, 'router mass', mass.toFixed(3));
  term(list, 'its route', route(own, other));
  term(list, 'the best', route(other, own));
  tip.append(head, list);
  tip.hidden = false;
}

function hide() {
  if (current) current.classList.remove('current');
  current = null;
  tip.hidden = true;
}

function draw() {
  hide();
  place.replaceChildren();
  const view = data.views[select.selectedIndex];
  data.responses.forEach((response, r) => {
    const article = element('article');
    const title = element('h3', '', `${response.problem} · ${response.strategy} · ${response.response}`);
    const verdict = response.correct === null ? ['plain', 'not graded'] : response.correct ? ['right', 'right'] : ['wrong', 'wrong'];
    title.append(element('span', `tag ${verdict[0]}`, verdict[1]));
    article.append(title);
    if (response.text) article.append(element('p', 'facts', response.text));
    const text = element('div', 'text');
    response.tokens.forEach((said, t) => {
      const [kind, , , , regret] = view.responses[r][t];
      const token = element('span', `token c${kind}${regret > MISSED ? ' missed' : ''}`, said);
      token.dataset.response = r;
      token.dataset.token = t;
      if (kind === 0) token.tabIndex = 0;
      text.append(token);
    });
    article.append(text);
    place.append(article);
  });
}

function tokenOf(event) {
  return event.target.closest ? event.target.closest('.text .token') : null;
}

select.selectedIndex = data.views.length - 1;
select.addEventListener('change', draw);
for (const name of ['mouseover', 'focusin', 'click']) {
  place.addEventListener(name, (event) => { const token = tokenOf(event); if (token) show(token); });
}
document.addEventListener('keydown', (event) => { if (event.key === 'Escape') hide(); });
document.addEventListener('click', (event) => { if (!tokenOf(event) && !tip.contains(event.target)) hide(); });
draw();
