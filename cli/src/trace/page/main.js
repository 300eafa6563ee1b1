// What the page shows at the moment, and what changes it: the mouse, the keyboard, the address.
//
// `#from=12ms&to=20ms&open=all&theme=dark&find=client 7&arrows=off&order=ran&panel=off` behind the page's
// address opens it so. Whatever changes `state` calls `changed`, and the next frame draws it once.

const element = id => document.getElementById(id);
const SHORTEST = 50; // nanoseconds over the whole width
const OPEN_AT_ONCE = 40; // groups are open from the start where there are no more threads than these

const state = {
  run: null, rows: [], height: 0, from: 0, to: 1, order: 'spawned', only: null, hover: null, chosen: null,
  selected: null, current: -1, found: [], isFound: new Set(), foundAt: -1, arrows: true, theme: 'light',
};
const chart = new Chart(state, element);
const panel = new Panel(state, element, { goTo, zoomTo, only, step });

let isDue = false;
function changed() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    chart.draw();
  });
}

function show(from, to) {
  const { run } = state, all = Math.max(run.ended, SHORTEST);
  const span = Math.min(all, Math.max(SHORTEST, to - from)), middle = (from + to) / 2;
  state.from = Math.max(0, Math.min(all - span, middle - span / 2));
  state.to = state.from + span;
  changed();
}

function zoom(factor, x = chart.width / 2) {
  const at = chart.time(x), span = Math.min(state.run.ended, (state.to - state.from) / factor);
  const from = at - (at - state.from) * span / (state.to - state.from);
  show(from, from + span);
}

function pan(pixels) {
  const by = pixels / chart.scale;
  show(state.from + by, state.to + by);
}

function zoomTo(from, to) {
  const margin = Math.max(SHORTEST, to - from) * 0.5;
  show(from - margin, to + margin);
}

function layRows() {
  const { rows, height } = layOut(state.run, state.order);
  Object.assign(state, { rows, height });
  const { selected } = state;
  state.current = selected ? indexOf(selected) : -1;
  changed();
}

function indexOf(selected) {
  if (selected.thread >= 0 && selected.row?.kind !== 'osThread') return rowThatShows(state.run, selected.thread);
  return state.rows.findIndex(row => row.kind === selected.row.kind && row.index === selected.row.index && row.group === selected.row.group);
}

function select(selected) {
  state.selected = selected;
  state.current = selected ? indexOf(selected) : -1;
  panel.details();
  changed();
}

function toggle(group, isOpen = !group.isOpen) {
  group.isOpen = isOpen;
  layRows();
}

// Shows a thread: its row, and the moment of the span if there is one.
function goTo(thread, span) {
  const { run } = state, { spans, threads } = run, group = run.groupOf[thread];
  if (!run.rowOf.has(thread)) toggle(group, true);
  const first = threads.first[thread], last = threads.first[thread + 1] - 1;
  select({ thread, span: span >= first && span < last ? span : -1, row: null });
  const [from, to] = span >= 0 ? [spans.start[span], spans.start[span + 1]] : [spans.start[first], spans.start[last]];
  const shown = state.to - state.from, isOutside = to < state.from || from > state.to;
  if (isOutside || to - from < shown / 100 || (span >= 0 && to - from > shown)) zoomTo(from, to);
  reveal(state.current);
}

function reveal(index) {
  const row = state.rows[index], { scroll } = chart;
  if (!row) return;
  if (row.top < scroll.scrollTop) scroll.scrollTop = row.top - 4;
  const bottom = row.top + row.height + 4;
  if (bottom > scroll.scrollTop + scroll.clientHeight) {
    element('sizer').style.height = `${state.height}px`;
    scroll.scrollTop = bottom - scroll.clientHeight / 2;
  }
}

function only(kind) {
  state.only = kind;
  panel.legend();
  changed();
}

// What the selected thread did before or after.
function step(by) {
  const { run, selected } = state;
  if (!selected || selected.thread < 0) return;
  const first = run.threads.first[selected.thread], last = run.threads.first[selected.thread + 1] - 1;
  const span = selected.span < 0 ? first : selected.span + by;
  if (span >= first && span < last) goTo(selected.thread, span);
}

function toWaker() {
  const { run, selected } = state;
  const wake = selected && selected.span >= 0 ? wakeOf(run, selected.span) : -1;
  if (wake < 0 || run.spans.by[wake] < BY_THREAD) return;
  const waker = run.spans.by[wake] - BY_THREAD;
  goTo(waker, spanAt(run, waker, run.spans.start[wake]));
}

// Selects the row above or below, of a thread what it did in the middle of the screen.
function moveRow(by) {
  const { rows } = state;
  let index = state.current < 0 ? rowAt(rows, chart.scroll.scrollTop) - 1 : state.current;
  do index += by; while (rows[index]?.kind === 'section');
  const row = rows[index];
  if (!row) return;
  const middle = (state.from + state.to) / 2;
  if (row.kind === 'thread') select({ thread: row.thread, span: spanAt(state.run, row.thread, middle), row });
  else select({ thread: -1, span: -1, row });
  state.current = index;
  reveal(index);
}

function enter() {
  const row = state.rows[state.current];
  if (row?.kind === 'group') toggle(row.group);
  else if (state.selected?.thread >= 0) {
    const { run, selected } = state, { first } = run.threads;
    zoomTo(run.spans.start[first[selected.thread]], run.spans.start[first[selected.thread + 1] - 1]);
  }
}

function search(query) {
  state.found = find(state.run, query);
  state.isFound = new Set(state.found);
  state.foundAt = -1;
  element('found').textContent = query.trim() ? plural(state.found.length, 'thread') : '';
  changed();
}

function nextFound(by) {
  const { found } = state;
  if (found.length === 0) return;
  state.foundAt = (state.foundAt + by + found.length) % found.length;
  if (state.foundAt < 0) state.foundAt = 0;
  element('found').textContent = `${(state.foundAt + 1).toLocaleString('en')} of ${plural(found.length, 'thread')}`;
  goTo(found[state.foundAt], -1);
}

function setTheme(theme) {
  state.theme = theme;
  document.documentElement.dataset.theme = theme;
  changed();
}

function setArrows(arrows) {
  state.arrows = arrows;
  element('arrows').setAttribute('aria-pressed', arrows);
  changed();
}

const KEYS = {
  ArrowLeft: () => pan(-chart.width / 8), ArrowRight: () => pan(chart.width / 8),
  ArrowUp: () => moveRow(-1), ArrowDown: () => moveRow(1),
  '+': () => zoom(1.5), '=': () => zoom(1.5), '-': () => zoom(1 / 1.5), 0: () => show(0, state.run.ended),
  Enter: enter, ',': () => step(-1), '.': () => step(1), w: toWaker,
  f: () => {
    const { run, selected } = state;
    if (selected?.span >= 0) zoomTo(run.spans.start[selected.span], run.spans.start[selected.span + 1]);
  },
  '/': () => element('query').focus(),
  a: () => setArrows(!state.arrows),
  t: () => setTheme(state.theme === 'light' ? 'dark' : 'light'),
  '?': () => element('help').showModal(),
  Escape: () => select(null),
};

function listenToKeys() {
  addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || element('help').open) return;
    if (event.target.matches('input, select')) {
      if (event.key === 'Escape') element('labels').focus();
      return;
    }
    if (event.target.matches('button') && event.key === 'Enter') return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  element('query').addEventListener('input', event => search(event.target.value));
  element('query').addEventListener('keydown', event => {
    if (event.key === 'Enter') nextFound(event.shiftKey ? -1 : 1);
  });
  element('search').addEventListener('submit', event => event.preventDefault());
}

function listenToButtons() {
  const acts = { in: '+', out: '-', fit: '0', theme: 't', keys: '?', arrows: 'a' };
  for (const [id, key] of Object.entries(acts)) element(id).addEventListener('click', KEYS[key]);
  element('order').addEventListener('change', event => {
    state.order = event.target.value;
    layRows();
  });
}

// A drag of the mouse on an element: `move` hears of each step, `end` of a click if there was no step.
function drag(target, begin) {
  target.addEventListener('pointerdown', event => {
    if (event.button !== 0) return;
    const handlers = begin(event);
    let hasMoved = false, last = event;
    target.setPointerCapture(event.pointerId);
    const move = next => {
      if (!hasMoved && Math.hypot(next.clientX - event.clientX, next.clientY - event.clientY) < 4) return;
      hasMoved = true;
      handlers.move(next, next.clientX - last.clientX, next.clientY - last.clientY);
      last = next;
    };
    const end = next => {
      target.removeEventListener('pointermove', move);
      target.removeEventListener('pointerup', end);
      target.removeEventListener('pointercancel', end);
      handlers.end?.(next, hasMoved);
    };
    target.addEventListener('pointermove', move);
    target.addEventListener('pointerup', end);
    target.addEventListener('pointercancel', end);
  });
}

const place = (event, target) => {
  const box = target.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

function listenToMouse() {
  const rows = element('rows'), axis = element('axis'), overview = element('overview'), { scroll } = chart;
  drag(rows, () => ({
    move: (_, dx, dy) => {
      pan(-dx);
      scroll.scrollTop -= dy;
    },
    end: (event, hasMoved) => {
      if (!hasMoved) click(...place(event, rows));
    },
  }));
  drag(axis, event => {
    const from = chart.time(place(event, axis)[0]);
    return {
      move: next => {
        state.chosen = [from, chart.time(place(next, axis)[0])];
        changed();
      },
      end: () => {
        const { chosen } = state;
        state.chosen = null;
        if (chosen) show(Math.min(...chosen), Math.max(...chosen));
      },
    };
  });
  drag(overview, event => {
    const time = next => place(next, overview)[0] / overview.clientWidth * state.run.ended;
    const begin = time(event), isInside = begin > state.from && begin < state.to && state.to - state.from < state.run.ended;
    return {
      move: (next, dx) => {
        if (!isInside) return show(...[begin, time(next)].sort((a, b) => a - b));
        const by = dx / overview.clientWidth * state.run.ended;
        return show(state.from + by, state.to + by);
      },
      end: (_, hasMoved) => {
        const half = (state.to - state.from) / 2;
        if (!hasMoved) show(begin - half, begin + half);
      },
    };
  });
  for (const target of [rows, axis]) {
    target.addEventListener('wheel', event => {
      const [x] = place(event, target), line = event.deltaMode === 1 ? 30 : 1;
      if (event.ctrlKey || event.metaKey || target === axis) zoom(Math.exp(-event.deltaY * line / 300), x);
      else if (event.shiftKey) pan((event.deltaX || event.deltaY) * line);
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(event.deltaX * line);
      else return; // The list scrolls.
      event.preventDefault();
    }, { passive: false });
    target.addEventListener('pointermove', event => hover(event, target));
    target.addEventListener('pointerleave', () => {
      state.hover = null;
      element('tip').hidden = true;
      changed();
    });
  }
  rows.addEventListener('dblclick', event => {
    const hit = chart.at(...place(event, rows));
    if (hit?.row.kind === 'group') toggle(hit.row.group);
    else if (hit?.span >= 0) zoomTo(state.run.spans.start[hit.span], state.run.spans.start[hit.span + 1]);
  });
  element('labels').addEventListener('click', event => {
    const label = event.target.closest('[data-row]');
    if (!label) return;
    const row = state.rows[label.dataset.row];
    if (row.kind === 'section') return;
    select({ thread: row.kind === 'thread' ? row.thread : -1, span: -1, row });
    if (row.kind === 'group') toggle(row.group);
  });
  scroll.addEventListener('scroll', changed, { passive: true });
  new ResizeObserver(changed).observe(scroll);
}

function click(x, y) {
  const hit = chart.at(x, y);
  if (!hit || hit.row.kind === 'section') return select(null);
  if (hit.span >= 0) return select({ thread: threadOf(state.run, hit.span), span: hit.span, row: hit.row });
  const thread = hit.row.kind === 'thread' ? hit.row.thread : -1;
  return select({ thread, span: -1, row: hit.row });
}

function hover(event, target) {
  const [x, y] = place(event, target), tip = element('tip');
  state.hover = { time: chart.time(x) };
  const hit = target === element('axis') ? null : chart.at(x, y);
  tip.hidden = !hit || hit.row.kind === 'section';
  if (!tip.hidden) {
    tip.textContent = tipOf(hit);
    const box = element('chart').getBoundingClientRect();
    const left = Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth - 6);
    const below = event.clientY - box.top + 18;
    tip.style.transform = `translate(${left}px, ${below + tip.offsetHeight > box.height ? below - tip.offsetHeight - 26 : below}px)`;
  }
  changed();
}

function tipOf({ row, time, span }) {
  const { run } = state, { spans } = run;
  if (row.kind === 'group') {
    const columns = columnsOf(run, row.group, time, 1 / chart.scale, 1);
    const lines = [...columns].map((count, kind) => [count, KINDS[kind].name]).filter(([count]) => count >= 0.005);
    return [row.name, ...lines.map(([count, name]) => `${count >= 10 ? Math.round(count).toLocaleString('en') : count.toFixed(2)}  ${name}`)].join('\n');
  }
  if (span < 0) return row.name;
  const name = row.kind === 'osThread' ? `${row.name}\n${labelOf(run, threadOf(run, span))}` : row.name;
  return `${name}\n${words(run, span)}, ${length(spans.start[span + 1] - spans.start[span])}`;
}

function time(text) { // "12ms" or nanoseconds
  const [, value, unit] = /^([\d.]+)(ns|us|µs|ms|s)?$/.exec(text) ?? [null, 0];
  return value * ({ us: 1e3, 'µs': 1e3, ms: 1e6, s: 1e9 }[unit] ?? 1);
}

function openAsAsked() {
  const asked = new URLSearchParams(location.hash.slice(1)), { run } = state;
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  setTheme(asked.get('theme') ?? (dark ? 'dark' : 'light'));
  if (asked.get('arrows') === 'off') setArrows(false);
  if (asked.get('panel') === 'off') document.documentElement.dataset.panel = 'off';
  if (ORDERS[asked.get('order')]) element('order').value = state.order = asked.get('order');
  const open = asked.get('open');
  for (const group of run.groups) {
    group.isOpen = open ? open === 'all' || open.split(',').includes(group.name) : run.threads.count <= OPEN_AT_ONCE;
  }
  layRows();
  show(asked.has('from') ? time(asked.get('from')) : 0, asked.has('to') ? time(asked.get('to')) : run.ended);
  if (asked.has('find')) {
    element('query').value = asked.get('find');
    search(asked.get('find'));
    nextFound(1);
  }
}

function start() {
  const run = readRun(element('run').textContent.trim());
  element('run').remove();
  prepare(run);
  state.run = run;
  document.title = run.title;
  element('title').textContent = run.title;
  element('facts').textContent = [length(run.ended), plural(run.threads.count, 'green thread'), plural(run.osThreads.length, 'OS thread'), run.note].filter(Boolean).join(' · ');
  panel.legend();
  panel.details();
  panel.summary();
  openAsAsked();
  listenToKeys();
  listenToButtons();
  listenToMouse();
  addEventListener('hashchange', openAsAsked);
  document.documentElement.dataset.ready = 'yes';
}

element('facts').textContent = 'reading …';
setTimeout(start); // After the first frame: a large run takes a moment.
