'use strict';
// The console works without this file but for the live list, keys and the switch of colours.

const $ = (selector, from = document) => from.querySelector(selector);

// Colours: auto follows the system.
const themes = $('#theme');
function showTheme() {
  const now = document.documentElement.dataset.theme || '';
  for (const b of themes.querySelectorAll('button')) b.setAttribute('aria-pressed', String(b.dataset.theme === now));
}
themes.hidden = false;
themes.addEventListener('click', (e) => {
  const theme = e.target.dataset.theme;
  if (theme === undefined || e.target === themes) return;
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  try {
    if (theme) localStorage.setItem('fairlead-theme', theme);
    else localStorage.removeItem('fairlead-theme');
  } catch { /* it lasts as long as the page then */ }
  showTheme();
});
showTheme();

// Times grow older while a page is open; ago() in format.go writes the same.
function ago(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 1) return 'now';
  if (s < 60) return s + ' s ago';
  if (s < 3600) return Math.floor(s / 60) + ' min ago';
  if (s < 2 * 86400) return Math.floor(s / 3600) + ' h ago';
  return Math.floor(s / 86400) + ' d ago';
}
setInterval(() => {
  if (document.hidden) return;
  for (const t of document.querySelectorAll('time')) {
    const text = ago((Date.now() - Date.parse(t.dateTime)) / 1000);
    if (t.textContent !== text) t.textContent = text;
  }
}, 10000);

// j and k move through the rows, enter opens (the row's link has the focus), / searches.
document.addEventListener('keydown', (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input, select, textarea')) return;
  if (e.key === '/') {
    const search = $('.search input');
    if (search) { e.preventDefault(); search.focus(); search.select(); }
    return;
  }
  if (e.key !== 'j' && e.key !== 'k') return;
  const links = [...document.querySelectorAll('table.keys a.open')];
  const row = document.activeElement.closest('tr');
  const at = links.findIndex((a) => row && a.closest('tr') === row);
  const next = links[e.key === 'j' ? at + 1 : Math.max(at - 1, 0)];
  if (next) { e.preventDefault(); next.focus(); }
});

// The live list.
const live = $('#live');
if (live && 'EventSource' in window) follow();

function follow() {
  const most = 200; // rows on the page
  const body = $('#list tbody');
  const status = $('[role=status]', live);
  const button = $('button', live);
  let paused = false, waiting = [], skipped = 0, state = '○ connecting';

  function say() {
    let text = paused ? '○ paused, ' + (waiting.length + (waiting.length >= most ? '+' : '')) + ' new' : state;
    if (skipped) text += ', ' + skipped.toLocaleString('en') + ' too fast to show';
    if (status.textContent !== text) status.textContent = text;
  }
  function insert(html) {
    const made = document.createElement('tbody');
    made.innerHTML = html; // a row of our own server, escaped there
    const row = made.firstElementChild;
    if (!row || document.getElementById(row.id)) return;
    row.classList.add('new');
    body.prepend(row);
    while (body.children.length > most) body.lastElementChild.remove();
    $('#list').hidden = false;
    const empty = $('#empty');
    if (empty) empty.remove();
  }

  const newest = $('tr[id]', body);
  const address = new URL(live.dataset.live, location.href);
  if (newest) address.searchParams.set('since', newest.id.slice(2));
  const events = new EventSource(address);
  events.addEventListener('open', () => { state = '● live'; say(); });
  events.addEventListener('error', () => {
    state = events.readyState === EventSource.CLOSED ? '■ stopped: reload the page' : '▲ connecting again';
    say();
  });
  events.addEventListener('row', (e) => {
    if (!paused) return insert(e.data);
    waiting.push(e.data);
    if (waiting.length > most) waiting.shift();
    say();
  });
  events.addEventListener('skipped', (e) => { skipped += Number(e.data); say(); });
  button.addEventListener('click', () => {
    paused = !paused;
    button.textContent = paused ? 'Go on' : 'Pause';
    button.setAttribute('aria-pressed', String(paused));
    if (!paused) { waiting.forEach(insert); waiting = []; }
    say();
  });
  addEventListener('pagehide', () => events.close());
  addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
  live.hidden = false;
  say();
}
