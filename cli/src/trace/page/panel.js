// What stands beside the chart: the colours, what is selected, and the summary. All text goes in as text.

function make(tag, { className, text, title, click, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  if (title) made.title = title;
  if (click) made.addEventListener('click', click);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const swatch = kind => make('i', { className: `swatch ${KINDS[kind].key}` });

class Panel {
  // `actions` are what a click may do: `goTo(thread, span)`, `zoomTo(from, to)`, `only(kind)`, `step(by)`.
  constructor(state, element, actions) {
    Object.assign(this, { state, element, actions });
  }

  legend() {
    const { run, only } = this.state;
    const items = KINDS.map((kind, i) => {
      if (run.summary.byKind[i] === 0) return null;
      const button = make('button', {
        title: kind.says,
        'aria-pressed': only === i,
        click: () => this.actions.only(only === i ? null : i),
      }, swatch(i), kind.name);
      return make('li', {}, button);
    });
    this.element('legend').replaceChildren(...items.filter(Boolean));
  }

  details() {
    const { run, selected } = this.state, box = this.element('details');
    box.replaceChildren();
    if (!selected) {
      box.append(make('h2', { text: 'Selected' }), make('p', { className: 'faint', text: 'Nothing: click on a bar, or press ↓.' }));
    } else if (selected.thread >= 0) {
      this.thread(box, run, selected.thread, selected.span);
    } else if (selected.row.kind === 'group') {
      this.group(box, run, selected.row.group);
    } else if (selected.row.kind === 'osThread') {
      this.osThread(box, run, selected.row.index);
    }
  }

  link(thread, span) {
    return make('button', { className: 'link', text: labelOf(this.state.run, thread), click: () => this.actions.goTo(thread, span) });
  }

  // Who has woken a thread, of the span in which it wants a processor then.
  by(span) {
    const { run } = this.state, { by, start } = run.spans;
    if (by[span] >= BY_THREAD) {
      const waker = by[span] - BY_THREAD;
      return make('p', {}, 'woken by ', this.link(waker, spanAt(run, waker, start[span])), ` at ${moment(start[span], 1e3)}`);
    }
    const who = by[span] === BY_OS_THREAD ? 'an OS thread' : 'the event loop: a descriptor or a deadline';
    return make('p', { text: `woken by ${who} at ${moment(start[span], 1e3)}` });
  }

  thread(box, run, thread, span) {
    const { threads, spans } = run, first = threads.first[thread], last = threads.first[thread + 1] - 1;
    box.append(make('h2', { text: titleOf(run, thread) }));
    if (span >= 0) {
      const kind = run.kinds[spans.state[span]], from = spans.start[span], to = spans.start[span + 1];
      box.append(make('p', { className: 'now' }, swatch(kind), make('strong', { text: words(run, span) }), ` for ${length(to - from)}`));
      box.append(make('p', { className: 'faint', text: `from ${moment(from, 1e3)} to ${moment(to, 1e3)}` }));
      const wake = wakeOf(run, span);
      if (spans.state[span] >= RUNNING && spans.state[span] <= BLOCKING) {
        box.append(make('p', { text: `on ${placeOf(run, span) ?? 'an OS thread that is not known'}` }));
      }
      if (wake > first && spans.state[wake - 1] >= WAITING) box.append(this.by(wake));
      if (wake >= 0 && wake !== span) box.append(make('p', { text: `wanted a processor for ${length(spans.start[wake + 1] - spans.start[wake])}` }));
      box.append(make('div', { className: 'buttons' },
        make('button', { text: '‹ before', title: 'What it did before (,)', click: () => this.actions.step(-1) }),
        make('button', { text: 'after ›', title: 'What it did after (.)', click: () => this.actions.step(1) }),
        make('button', { text: 'Zoom', title: 'Zoom to it (f)', click: () => this.actions.zoomTo(from, to) })));
    }
    box.append(make('h3', { text: 'Its life' }));
    const begin = spans.start[first], end = spans.start[last];
    box.append(make('p', { className: 'faint', text: `${length(end - begin)}, from ${moment(begin, 1e3)}${end < run.ended ? ` to ${moment(end, 1e3)}` : '; it lives on'}` }));
    const spawner = threads.spawner[thread];
    if (spawner >= 0) box.append(make('p', {}, 'spawned by ', this.link(spawner, spanAt(run, spawner, begin))));
    this.shares(box, kind => run.totals[thread * KINDS.length + kind]);
  }

  group(box, run, group) {
    box.append(make('h2', { text: group.name }));
    box.append(make('p', { text: factOf(run, { kind: 'group', group }) }));
    box.append(make('p', { className: 'faint', text: 'Above: what all of them do. Below, at a larger scale: those that use a processor or want one.' }));
    this.shares(box, kind => group.density.upTo(run.ended, kind));
  }

  osThread(box, run, index) {
    const osThread = run.osThreads[index], times = [0, 0, 0];
    osThread.state.forEach((state, i) => { times[state] += osThread.start[i + 1] - osThread.start[i]; });
    const looks = osThread.marks.filter(mark => mark.kind === 0);
    box.append(make('h2', { text: osThread.name }));
    const facts = [
      ['ran green threads', length(run.busy[index])],
      ['asleep', length(times[ASLEEP])],
      ['runs', run.ran[index].length.toLocaleString('en')],
      ['looks that found events', looks.length.toLocaleString('en')],
      ['events found', looks.reduce((sum, mark) => sum + mark.count, 0).toLocaleString('en')],
      ['threads from other cores', osThread.marks.filter(mark => mark.kind === 1).length.toLocaleString('en')],
    ];
    box.append(make('table', {}, ...facts.map(([what, value]) => make('tr', {}, make('th', { text: what }), make('td', { text: value })))));
  }

  // A bar and a table of times by kind.
  shares(box, time) {
    const kinds = KINDS.map((_, kind) => kind).filter(kind => time(kind) > 0);
    const sum = kinds.reduce((sum, kind) => sum + time(kind), 0) || 1;
    const bar = make('div', { className: 'shares', 'aria-hidden': 'true' }, ...kinds.map(kind => {
      const part = swatch(kind);
      part.style.flexGrow = time(kind) / sum;
      return part;
    }));
    const line = kind => make('tr', {}, make('th', {}, swatch(kind), KINDS[kind].name),
      make('td', { text: length(time(kind)) }), make('td', { text: `${(100 * time(kind) / sum).toFixed(1)} %` }));
    box.append(bar, make('table', {}, ...kinds.map(line)));
  }

  summary() {
    const { run } = this.state, { summary } = run, { spans } = run, box = this.element('summary');
    const ofSpan = ({ size, item }) => [length(size), threadOf(run, item), item];
    const list = (title, hint, items, row) => {
      if (items.length === 0) return;
      const lines = items.map(found => {
        const [value, thread, span, more] = row(found);
        return make('tr', {}, make('td', { text: value }), make('th', {}, this.link(thread, span), more ? make('small', { text: more }) : ''));
      });
      box.append(make('h3', { text: title, title: hint }), make('table', {}, ...lines));
    };
    box.replaceChildren(make('h2', { text: 'Summary' }));
    list('Waited longest for a processor', 'from when it could run until it ran', summary.want, ofSpan);
    list('Computed longest, in all', 'time on a processor', summary.computed, ({ size, item }) => [length(size), item, -1]);
    list('Computed longest at a time', 'others of its worker waited meanwhile', summary.run, ofSpan);
    list('Waited longest for a lock', 'mutex, rwlock or once', summary.lock, found => {
      const wake = wakeOf(run, found.item), by = wake < 0 ? 0 : spans.by[wake];
      return [...ofSpan(found), by >= BY_THREAD ? `from ${labelOf(run, by - BY_THREAD)}` : ''];
    });
    list('Kept others from a lock', 'how long others waited in all for locks that it gave back: it held them at least as long as the longest of these waits', summary.held,
      ({ item }) => [length(item.time), item.thread, -1, `${plural(item.waits, 'wait')}, the longest ${length(item.longest)}`]);
    list('Blocking sections', 'calls that block an OS thread', summary.block, ofSpan);
  }
}
