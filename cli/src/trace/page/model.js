// What is known of the run beyond its spans: kinds of spans (a colour each), groups of threads by name,
// what each OS thread ran, how many threads of a group were in each kind at each moment, and the summary.

// The kinds, in the order in which they are piled up, from the bottom.
const KINDS = [
  { key: 'run', name: 'running', says: 'a worker runs it' },
  { key: 'alone', name: 'running, core handed on', says: 'it runs for long, and others have its core meanwhile' },
  { key: 'block', name: 'blocking section', says: 'a call that blocks an OS thread' },
  { key: 'want', name: 'wants a processor', says: 'it could run, and others do' },
  { key: 'io', name: 'waits: I/O', says: 'read, write, poll' },
  { key: 'lock', name: 'waits: lock', says: 'mutex, rwlock, once, semaphore' },
  { key: 'message', name: 'waits: other thread', says: 'channel, condvar, barrier, park, futex, signal and others' },
  { key: 'join', name: 'waits: end of others', says: 'join, scope' },
  { key: 'sleep', name: 'waits: time', says: 'sleep' },
  { key: 'lost', name: 'not recorded', says: 'the trace has no event of it' },
];
const KIND = Object.fromEntries(KINDS.map((kind, i) => [kind.key, i]));
const ACTIVE = 4; // kinds below it use a processor or an OS thread, or want to

const KIND_OF_REASON = {
  read: 'io', write: 'io', poll: 'io', semaphore: 'lock', mutex: 'lock', rwlock: 'lock', once: 'lock', join: 'join', scope: 'join', sleep: 'sleep',
};

function kindsOfStates(reasons) {
  const kinds = new Uint8Array(256).fill(KIND.lost);
  kinds[RUNNABLE] = KIND.want;
  kinds[RUNNING] = KIND.run;
  kinds[ALONE] = KIND.alone;
  kinds[BLOCKING] = KIND.block;
  reasons.forEach((reason, i) => { kinds[WAITING + i] = KIND[KIND_OF_REASON[reason] ?? 'message']; });
  return kinds;
}

// The first index in [low, high) whose value is above `what`, in a sorted array.
function above(sorted, what, low, high) {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] > what) high = middle; else low = middle + 1;
  }
  return low;
}

function nameOf(run, thread) {
  return run.names[run.threads.name[thread]];
}

function titleOf(run, thread) {
  const name = nameOf(run, thread);
  return name ? `${name} (${run.threads.number[thread]})` : `thread ${run.threads.number[thread]}`;
}

// The same without the number where the name alone tells it apart.
function labelOf(run, thread) {
  return run.bearers[run.threads.name[thread]] === 1 && nameOf(run, thread) || titleOf(run, thread);
}

// Threads belong together whose names differ in their numbers alone; those without one, by who spawned them.
function groupsOf(run) {
  const { threads } = run;
  const byName = new Map();
  const keys = run.names.map(name => name.replace(/\d+/g, '#'));
  for (let thread = 0; thread < threads.count; thread++) {
    let key = keys[threads.name[thread]];
    if (!key) {
      const spawner = threads.spawner[thread];
      const parent = spawner < 0 ? '' : keys[threads.name[spawner]];
      key = parent ? `unnamed, by ${parent}` : 'unnamed';
    }
    const group = byName.get(key);
    if (group) group.threads.push(thread);
    else byName.set(key, { name: key, threads: [thread], isOpen: false, density: null });
  }
  const groups = [...byName.values()];
  for (const group of groups) {
    if (group.threads.length === 1 && nameOf(run, group.threads[0])) group.name = nameOf(run, group.threads[0]);
  }
  return groups;
}

// How much time some spans take in each kind, summed up to each of equally long steps. So the mean number of
// them in a kind between two moments takes two look-ups, however many there are.
class Density {
  // `each` calls what it is given with each of the `count` spans.
  constructor(run, count, each) {
    const { spans, kinds } = run;
    this.steps = Math.min(8192, Math.max(256, 2 ** Math.ceil(Math.log2(count + 1))));
    this.step = run.ended / this.steps || 1;
    const width = KINDS.length, { steps, step } = this;
    const sums = new Float64Array((steps + 1) * width);
    const whole = new Float64Array((steps + 1) * width); // changes of how many fill whole steps
    each(i => {
      const kind = kinds[spans.state[i]], from = spans.start[i], to = spans.start[i + 1];
      const a = Math.min(steps - 1, Math.floor(from / step)), b = Math.min(steps - 1, Math.floor(to / step));
      if (a === b) {
        sums[(a + 1) * width + kind] += to - from;
        return;
      }
      sums[(a + 1) * width + kind] += (a + 1) * step - from;
      sums[(b + 1) * width + kind] += to - b * step;
      whole[(a + 1) * width + kind] += 1;
      whole[b * width + kind] -= 1;
    });
    for (let at = 0; at < steps; at++) {
      for (let kind = 0; kind < width; kind++) {
        const i = at * width + kind;
        if (at > 0) whole[i] += whole[i - width];
        sums[i + width] += sums[i] + whole[i] * step;
      }
    }
    this.sums = sums;
    this.peak = this.highest(kind => kind < ACTIVE);
  }

  // The highest mean number of threads in some kinds within a step.
  highest(counts) {
    let highest = 0;
    for (let at = 0; at < this.steps; at++) {
      let sum = 0;
      for (let kind = 0; kind < KINDS.length; kind++) {
        if (counts(kind)) sum += this.sums[(at + 1) * KINDS.length + kind] - this.sums[at * KINDS.length + kind];
      }
      highest = Math.max(highest, sum / this.step);
    }
    return highest;
  }

  // Time in a kind up to a moment.
  upTo(time, kind) {
    const at = Math.max(0, Math.min(this.steps, time / this.step)), i = Math.min(this.steps - 1, Math.floor(at));
    const low = this.sums[i * KINDS.length + kind], high = this.sums[(i + 1) * KINDS.length + kind];
    return low + (high - low) * (at - i);
  }
}

function densityOf(run, list) {
  const { first } = run.threads;
  const count = list.reduce((sum, thread) => sum + first[thread + 1] - first[thread] - 1, 0);
  return new Density(run, count, add => {
    for (const thread of list) for (let i = first[thread]; i < first[thread + 1] - 1; i++) add(i);
  });
}

// The mean number of threads in each kind, for each column of a picture from `from` on.
function meansOf(density, from, perColumn, columns) {
  const width = KINDS.length, means = new Float32Array(columns * width);
  for (let kind = 0; kind < width; kind++) {
    let before = density.upTo(from, kind);
    for (let column = 0; column < columns; column++) {
      const after = density.upTo(from + (column + 1) * perColumn, kind);
      means[column * width + kind] = (after - before) / perColumn;
      before = after;
    }
  }
  return means;
}

// The same of a group, however close: it is its spans themselves where the steps of its density would show.
function columnsOf(run, group, from, perColumn, columns) {
  if (perColumn >= group.density.step) return meansOf(group.density, from, perColumn, columns);
  const width = KINDS.length, out = new Float32Array(columns * width);
  const { threads, spans, kinds } = run, to = from + columns * perColumn;
  for (const thread of group.threads) {
    const first = threads.first[thread], last = threads.first[thread + 1] - 1;
    if (spans.start[first] >= to || spans.start[last] <= from) continue;
    let i = Math.max(first, above(spans.start, from, first, last) - 1);
    for (; i < last && spans.start[i] < to; i++) {
      const kind = kinds[spans.state[i]];
      const a = Math.max(0, (spans.start[i] - from) / perColumn);
      const b = Math.min(columns, (spans.start[i + 1] - from) / perColumn);
      const firstColumn = Math.floor(a), lastColumn = Math.min(columns - 1, Math.floor(b));
      for (let column = firstColumn; column <= lastColumn; column++) {
        out[column * width + kind] += Math.min(b, column + 1) - Math.max(a, column);
      }
    }
  }
  return out;
}

// For each OS thread the spans that it ran, in the order of time.
function ranBy(run) {
  const { spans } = run, counts = new Uint32Array(run.osThreads.length);
  const runs = i => spans.state[i] >= RUNNING && spans.state[i] <= BLOCKING && spans.by[i] > 0;
  for (let i = 0; i < spans.state.length; i++) if (runs(i)) counts[spans.by[i] - 1]++;
  const lists = [...counts].map(count => new Uint32Array(count));
  counts.fill(0);
  for (let i = 0; i < spans.state.length; i++) {
    if (runs(i)) lists[spans.by[i] - 1][counts[spans.by[i] - 1]++] = i;
  }
  for (const list of lists) list.sort((a, b) => spans.start[a] - spans.start[b]);
  return lists;
}

// The span in which a thread wants a processor after a wait, given that one, the wait or the run that follows;
// -1 if there is none.
function wakeOf(run, span) {
  const { state } = run.spans;
  if (state[span] === RUNNABLE) return span;
  if (state[span] >= WAITING && state[span] !== OVER && state[span + 1] === RUNNABLE) return span + 1;
  return state[span] === RUNNING && span > 0 && state[span - 1] === RUNNABLE ? span - 1 : -1;
}

// The thread that a span belongs to.
function threadOf(run, span) {
  return above(run.threads.first, span, 0, run.threads.count + 1) - 1;
}

// Time of each thread in each kind, by thread.
function totalsOf(run) {
  const { threads, spans, kinds } = run, totals = new Float64Array(threads.count * KINDS.length);
  for (let thread = 0; thread < threads.count; thread++) {
    for (let i = threads.first[thread]; i < threads.first[thread + 1] - 1; i++) {
      totals[thread * KINDS.length + kinds[spans.state[i]]] += spans.start[i + 1] - spans.start[i];
    }
  }
  return totals;
}

// The few largest of what is offered, the largest first.
class Largest {
  constructor(count) {
    this.count = count;
    this.items = [];
  }

  offer(size, item) {
    const { items, count } = this;
    if (size <= 0 || (items.length === count && size <= items[count - 1].size)) return;
    let i = items.length;
    while (i > 0 && items[i - 1].size < size) i--;
    items.splice(i, 0, { size, item });
    if (items.length > count) items.pop();
  }
}

// What a reader would look for first.
function summaryOf(run) {
  const { threads, spans, kinds, totals } = run, COUNT = 6;
  const lists = { want: new Largest(COUNT), lock: new Largest(COUNT), run: new Largest(COUNT), block: new Largest(COUNT) };
  const byKind = new Float64Array(KINDS.length), holders = new Map();
  for (let thread = 0; thread < threads.count; thread++) {
    const last = threads.first[thread + 1] - 1;
    let ran = 0, since = -1; // a run goes on when its core is handed on
    for (let i = threads.first[thread]; i < last; i++) {
      const kind = kinds[spans.state[i]], length = spans.start[i + 1] - spans.start[i];
      byKind[kind] += length;
      if (kind === KIND.want) lists.want.offer(length, i);
      if (kind === KIND.block) lists.block.offer(length, i);
      if (kind === KIND.run || kind === KIND.alone) {
        if (since < 0) [ran, since] = [0, i];
        ran += length;
      } else if (since >= 0) {
        lists.run.offer(ran, since);
        since = -1;
      }
      if (kind === KIND.lock) {
        lists.lock.offer(length, i);
        const by = i + 1 < last && spans.state[i + 1] === RUNNABLE ? spans.by[i + 1] - BY_THREAD : -1;
        if (by >= 0) {
          const holder = holders.get(by) ?? { time: 0, waits: 0, longest: 0, span: i };
          holder.time += length;
          holder.waits++;
          if (length > holder.longest) [holder.longest, holder.span] = [length, i];
          holders.set(by, holder);
        }
      }
    }
    if (since >= 0) lists.run.offer(ran, since);
  }
  const computed = new Largest(COUNT), held = new Largest(COUNT);
  for (let thread = 0; thread < threads.count; thread++) {
    const time = totals[thread * KINDS.length + KIND.run] + totals[thread * KINDS.length + KIND.alone];
    if (time > 0) computed.offer(time, thread);
  }
  for (const [thread, holder] of holders) held.offer(holder.time, { thread, ...holder });
  return {
    byKind,
    want: lists.want.items,
    lock: lists.lock.items,
    block: lists.block.items,
    run: lists.run.items,
    computed: computed.items,
    held: held.items,
  };
}

function prepare(run) {
  run.kinds = kindsOfStates(run.reasons);
  run.bearers = new Uint32Array(run.names.length); // threads of each name
  for (const name of run.threads.name) run.bearers[name]++;
  run.ran = ranBy(run);
  run.busy = run.ran.map(list => list.reduce((sum, i) => sum + run.spans.start[i + 1] - run.spans.start[i], 0));
  // Of those that ran many spans, which lie all over the memory, and would take long to go through.
  run.ranDensity = run.ran.map(list => list.length < 5000 ? null : new Density(run, list.length, add => list.forEach(add)));
  run.totals = totalsOf(run);
  run.groups = groupsOf(run);
  const all = Array.from({ length: run.threads.count }, (_, thread) => thread);
  run.density = densityOf(run, all);
  for (const group of run.groups) if (group.threads.length > 1) group.density = densityOf(run, group.threads);
  run.groupOf = new Array(run.threads.count);
  for (const group of run.groups) for (const thread of group.threads) run.groupOf[thread] = group;
  run.summary = summaryOf(run);
}

// The OS thread that a span ran on, if that is known.
function placeOf(run, span) {
  return run.osThreads[run.spans.by[span] - 1]?.name;
}

function words(run, span) {
  const state = run.spans.state[span];
  if (state >= WAITING) return `waits: ${run.reasons[state - WAITING] ?? 'for a reason that is not known'}`;
  return ['not recorded', 'wants a processor', 'running', 'running, core handed on', 'blocking section'][state];
}

// A length of time, in three digits or so.
function length(ns) {
  const [unit, scale] = ns < 1e3 ? ['ns', 1] : ns < 1e6 ? ['µs', 1e3] : ns < 1e9 ? ['ms', 1e6] : ['s', 1e9];
  const value = ns / scale;
  return `${value.toFixed(scale === 1 || value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${unit}`;
}

// A moment, to the precision of `step`.
function moment(ns, step) {
  const [unit, scale] = ns < 1e6 && step < 1e5 ? ['µs', 1e3] : ns < 1e9 && step < 1e8 ? ['ms', 1e6] : ['s', 1e9];
  const digits = Math.max(0, Math.min(9, -Math.floor(Math.log10(step / scale) + 1e-9)));
  return `${(ns / scale).toFixed(digits)} ${unit}`;
}

const plural = (count, what) => `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;
