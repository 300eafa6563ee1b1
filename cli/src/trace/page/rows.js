// The rows of the chart from top to bottom: OS threads, and then each group of green threads, its threads
// below it where it is open. Rows know their place; what they show, `paint.js` knows.

const HEIGHT = { section: 26, osThread: 26, group: 46, thread: 22 };

const ORDERS = {
  spawned: () => (a, b) => a - b,
  ran: totals => byTotal(totals, [KIND.run, KIND.alone]),
  wanted: totals => byTotal(totals, [KIND.want]),
  blocked: totals => byTotal(totals, [KIND.block]),
  name: (_, run) => (a, b) => nameOf(run, a).localeCompare(nameOf(run, b), 'en', { numeric: true }) || a - b,
};

function byTotal(totals, kinds) {
  const total = thread => kinds.reduce((sum, kind) => sum + totals[thread * KINDS.length + kind], 0);
  return (a, b) => total(b) - total(a) || a - b;
}

function layOut(run, order) {
  const rows = [], compare = ORDERS[order](run.totals, run);
  let top = 0;
  const add = row => {
    row.top = top;
    row.height = HEIGHT[row.kind];
    top += row.height;
    rows.push(row);
  };
  add({ kind: 'section', name: 'OS threads', level: 1 });
  run.osThreads.forEach((osThread, index) => add({ kind: 'osThread', name: osThread.name, index, level: 2 }));
  add({ kind: 'section', name: `Green threads: ${run.threads.count.toLocaleString('en')}`, level: 1 });
  run.rowOf = new Map(); // of each thread that has a row of its own, and of each group
  const groups = [...run.groups];
  if (order === 'name') groups.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  for (const group of groups) {
    const isAlone = group.threads.length === 1;
    if (!isAlone) {
      run.rowOf.set(group, rows.length);
      add({ kind: 'group', name: group.name, group, level: 2 });
    }
    if (!isAlone && !group.isOpen) continue;
    for (const thread of isAlone ? group.threads : [...group.threads].sort(compare)) {
      run.rowOf.set(thread, rows.length);
      add({ kind: 'thread', name: labelOf(run, thread), thread, group, level: isAlone ? 2 : 3 });
    }
  }
  return { rows, height: top };
}

// The row at a height, as an index; the last one below all.
function rowAt(rows, y) {
  let low = 0, high = rows.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (rows[middle].top <= y) low = middle; else high = middle - 1;
  }
  return low;
}

// The row that shows a thread: its own, or that of its group.
function rowThatShows(run, thread) {
  return run.rowOf.get(thread) ?? run.rowOf.get(run.groupOf[thread]);
}

// The span of a thread at a moment, or -1 outside of its life.
function spanAt(run, thread, time) {
  const { threads, spans } = run, first = threads.first[thread], last = threads.first[thread + 1] - 1;
  const i = above(spans.start, time, first, last + 1) - 1;
  return i < first || i >= last ? -1 : i;
}

// How many of the spans that an OS thread ran begin up to a moment.
function ranBefore(run, osThread, time) {
  const list = run.ran[osThread], { start } = run.spans;
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (start[list[middle]] > time) high = middle; else low = middle + 1;
  }
  return low;
}

// The span that an OS thread ran at a moment, or -1.
function ranAt(run, osThread, time) {
  const span = run.ran[osThread][ranBefore(run, osThread, time) - 1];
  return span !== undefined && run.spans.start[span + 1] > time ? span : -1;
}

// Threads that have `query` in their name or for their number, in the order of spawning; those first that
// have no other name.
function find(run, query) {
  const wanted = query.trim().toLowerCase(), found = [];
  if (!wanted) return found;
  const rest = [], named = run.names.map(name => name.toLowerCase().includes(wanted));
  for (let thread = 0; thread < run.threads.count; thread++) {
    const name = run.threads.name[thread];
    if (run.names[name].toLowerCase() === wanted || String(run.threads.number[thread]) === wanted) found.push(thread);
    else if (named[name]) rest.push(thread);
  }
  return found.concat(rest);
}
