// The chart: the overview and the scale at the top, labels at the left, and the rows. It draws what `state`
// says, and knows where on the screen a thread and a moment are.

const PAD = 3; // above and below the bars of a row

class Chart {
  constructor(state, element) {
    this.state = state;
    this.element = element;
    this.scroll = element('scroll');
    this.overview = new Painter(element('overview'));
    this.axis = new Painter(element('axis'));
    this.painter = new Painter(element('rows'));
    this.labels = [];
  }

  // Pixels per nanosecond, in CSS pixels.
  get scale() {
    return this.width / (this.state.to - this.state.from);
  }

  get width() {
    return this.element('rows').clientWidth || 1;
  }

  x(time) {
    return (time - this.state.from) * this.scale;
  }

  time(x) {
    return this.state.from + x / this.scale;
  }

  // The row, thread and span under a point of the rows' canvas.
  at(x, y) {
    const { run, rows } = this.state, top = y + this.scroll.scrollTop;
    const index = rowAt(rows, top), row = rows[index], time = this.time(x);
    if (top >= row.top + row.height) return null;
    let span = -1;
    if (row.kind === 'thread') span = spanAt(run, row.thread, time);
    if (row.kind === 'osThread') span = ranAt(run, row.index, time);
    return { row, index, time, span };
  }

  draw() {
    const { state, element } = this, { run } = state;
    this.colors = COLORS[state.theme];
    this.fit();
    element('sizer').style.height = `${Math.max(state.height, this.scroll.clientHeight)}px`;
    this.drawOverview();
    this.drawAxis();
    const first = rowAt(state.rows, this.scroll.scrollTop);
    let last = first;
    const bottom = this.scroll.scrollTop + this.scroll.clientHeight;
    while (last < state.rows.length && state.rows[last].top < bottom) last++;
    const shown = state.rows.slice(first, last);
    this.drawRows(shown, run);
    this.drawLabels(shown, first);
    const step = (state.to - state.from) / 1000;
    element('window').textContent = `${moment(state.from, step)} … ${moment(state.to, step)}`;
    element('window').title = `${length(state.to - state.from)} of ${length(run.ended)}`;
  }

  // The rows fill what the list shows of itself, and the scale is as wide as the rows, beside a scroll bar.
  fit() {
    const { element, scroll } = this;
    element('stage').style.height = `${scroll.clientHeight}px`;
    for (const id of ['overview', 'axis']) element(id).style.width = `${this.width}px`;
  }

  drawOverview() {
    const { overview: painter, state, colors } = this;
    const canvas = this.element('overview'), { run } = state;
    painter.begin(canvas.clientWidth, canvas.clientHeight, colors, state.only);
    if (this.columns?.length !== painter.w * KINDS.length) {
      this.columns = meansOf(run.density, 0, run.ended / painter.w, painter.w);
    }
    for (let x = 0; x < painter.w; x++) {
      painter.share.set(this.columns.subarray(x * KINDS.length, (x + 1) * KINDS.length));
      painter.share.fill(0, ACTIVE);
      painter.pile(x, Math.round(4 * painter.dots), painter.h, painter.share, Math.max(1, run.density.peak));
    }
    const context = painter.end(), width = canvas.clientWidth, height = canvas.clientHeight;
    const a = state.from / run.ended * width, b = Math.max(a + 2, state.to / run.ended * width);
    context.fillStyle = colors.back;
    context.globalAlpha = 0.66;
    context.fillRect(0, 0, a, height);
    context.fillRect(b, 0, width - b, height);
    context.globalAlpha = 1;
    context.strokeStyle = colors.mark;
    context.strokeRect(Math.max(0.5, a), 0.5, Math.min(width - 0.5, b) - Math.max(0.5, a), height - 1);
    this.element('peak').textContent = `up to ${whole(run.density.peak).toLocaleString('en')}`;
  }

  drawAxis() {
    const { axis, state, colors } = this, canvas = this.element('axis');
    axis.begin(canvas.clientWidth, canvas.clientHeight, colors, null);
    const context = axis.end(), width = canvas.clientWidth, height = canvas.clientHeight;
    this.ticks = ticks(state.from, state.to, width);
    context.fillStyle = colors.faint;
    for (const at of this.ticks.list) {
      const x = Math.round(this.x(at));
      context.fillRect(x, height - 6, 1, 6);
      const text = moment(at, this.ticks.step), half = context.measureText(text).width / 2;
      context.fillText(text, Math.max(2, Math.min(width - 2 * half - 2, x - half)), height / 2 - 3);
    }
    if (state.hover) {
      const x = this.x(state.hover.time), text = moment(state.hover.time, (state.to - state.from) / width);
      const wide = context.measureText(text).width + 10, left = Math.max(0, Math.min(width - wide, x - wide / 2));
      context.fillStyle = colors.mark;
      context.fillRect(left, 0, wide, height);
      context.fillStyle = colors.back;
      context.fillText(text, left + 5, height / 2);
    }
    if (state.chosen) {
      const [a, b] = state.chosen.map(time => this.x(time)).sort((a, b) => a - b);
      context.fillStyle = colors.mark;
      context.globalAlpha = 0.25;
      context.fillRect(a, 0, b - a, height);
      context.globalAlpha = 1;
    }
  }

  drawRows(shown, run) {
    const { painter, state, colors } = this, canvas = this.element('rows'), top = this.scroll.scrollTop;
    painter.begin(canvas.clientWidth, canvas.clientHeight, colors, state.only);
    const view = { from: state.from, scale: painter.w / (state.to - state.from) };
    const words = [], line = bits(colors.line);
    for (const at of this.ticks.list) {
      const x = Math.round((at - view.from) * view.scale);
      painter.rect(x, x + 1, 0, painter.h, line);
    }
    for (const row of shown) {
      const y0 = Math.round((row.top - top) * painter.dots), y1 = Math.round((row.top + row.height - top) * painter.dots);
      if (row.kind === 'section') painter.rect(0, painter.w, y0, y1, bits(colors.band));
      else painter.rect(0, painter.w, y1 - 1, y1, line);
      const pad = Math.round(PAD * painter.dots);
      this.drawRow(row, run, view, y0 + pad, y1 - pad, words);
    }
    const context = painter.end();
    this.drawWords(context, words, run);
    if (state.arrows) this.drawArrows(context, shown, run);
    this.drawMarks(context, shown, run);
    this.drawSelection(context, run);
  }

  drawRow(row, run, view, y0, y1, words) {
    const { painter } = this, { spans, threads, kinds } = run;
    if (row.kind === 'thread') {
      const first = threads.first[row.thread], last = threads.first[row.thread + 1] - 1;
      const begin = Math.max(first, above(spans.start, view.from, first, last) - 1);
      painter.spans(spans, null, begin, last, view, y0, y1, kinds, words);
    } else if (row.kind === 'group') {
      const columns = columnsOf(run, row.group, view.from, 1 / view.scale, painter.w);
      painter.group(columns, row.group, y0, y1);
    } else if (row.kind === 'osThread') {
      this.drawOsThread(run.osThreads[row.index], view, y0, y1);
      this.drawRan(row.index, run, view, y0, y1, words);
    }
  }

  drawRan(index, run, view, y0, y1, words) {
    const { painter } = this, { spans, kinds } = run, list = run.ran[index], density = run.ranDensity[index];
    if (density && 1 / view.scale >= density.step) {
      painter.means(meansOf(density, view.from, 1 / view.scale, painter.w), y0, y1);
      return;
    }
    const before = words.length, begin = Math.max(0, ranBefore(run, index, view.from) - 1);
    painter.spans(spans, list, begin, list.length, view, y0, y1, kinds, words);
    for (let i = before; i < words.length; i++) words[i].isOs = true;
  }

  // What an OS thread did when it ran no green thread: a thin line if it looked for one, a dotted one if it
  // slept, nothing if it was no worker.
  drawOsThread(osThread, view, y0, y1) {
    const { painter, colors } = this, middle = (y0 + y1) >> 1, thick = Math.max(1, Math.round(painter.dots));
    const awake = bits(colors.faint), asleep = bits(colors.line);
    const last = osThread.state.length;
    for (let i = Math.max(0, above(osThread.start, view.from, 0, last) - 1); i < last; i++) {
      const x0 = Math.floor((osThread.start[i] - view.from) * view.scale);
      const x1 = Math.max(x0 + 1, Math.floor((osThread.start[i + 1] - view.from) * view.scale));
      if (x0 >= painter.w) break;
      if (osThread.state[i] === AWAKE) painter.rect(x0, x1, middle - thick, middle + thick, awake);
      if (osThread.state[i] === ASLEEP) painter.rect(x0, x1, middle, middle + thick, asleep);
    }
  }

  drawWords(context, wide, run) {
    const { dots } = this.painter, { state, colors } = this;
    for (const { x0, x1, y0, y1, span, kind, isOs } of wide) {
      if (state.only !== null && state.only !== kind) continue;
      const isWait = kind >= ACTIVE, text = fitted(context, wordsOn(run, span, isOs), (x1 - x0) / dots - 8);
      if (!text) continue;
      const width = context.measureText(text).width;
      const left = x0 / dots + 4, y = (y0 + y1) / 2 / dots - (isWait ? 1 : 0);
      if (kind === KIND.want || kind === KIND.alone) {
        context.fillStyle = colors.back;
        context.globalAlpha = 0.85;
        context.fillRect(left - 2, y - 6, width + 4, 12);
        context.globalAlpha = 1;
      }
      const onSolid = kind === KIND.run || kind === KIND.block;
      context.fillStyle = onSolid ? (state.theme === 'light' ? '#ffffff' : '#0c1016') : isWait ? colors.faint : colors.text;
      context.fillText(text, left, y);
    }
  }

  // From who spawns or wakes down or up to who is spawned or woken, at the moment when it happens.
  drawArrows(context, shown, run) {
    const { state, colors } = this, { spans, threads } = run, LIMIT = 300;
    const arrows = [];
    let looks = 20000;
    for (const row of shown) {
      if (row.kind !== 'thread') continue;
      const first = threads.first[row.thread], last = threads.first[row.thread + 1] - 1;
      for (let i = Math.max(first, above(spans.start, state.from, first, last) - 1); i < last; i++) {
        if (spans.start[i] > state.to || --looks < 0) break;
        if (spans.state[i] !== RUNNABLE || spans.by[i] < BY_THREAD || spans.start[i] < state.from) continue;
        arrows.push({ row, from: spans.by[i] - BY_THREAD, at: spans.start[i] });
        if (arrows.length > LIMIT) return;
      }
    }
    if (looks < 0) return;
    context.globalAlpha = arrows.length > 60 ? 0.4 : 0.75;
    for (const { row, from, at } of arrows) this.drawArrow(context, row, from, at, colors.mark);
    context.globalAlpha = 1;
  }

  drawArrow(context, row, from, at, color) {
    const { state } = this, top = this.scroll.scrollTop, source = state.rows[rowThatShows(state.run, from)];
    if (!source || source === row) return;
    const x = Math.round(this.x(at)) + 0.5, isDown = source.top < row.top;
    const y1 = (isDown ? row.top + PAD : row.top + row.height - PAD) - top, tip = isDown ? -5 : 5;
    // Of one that is not on the screen there is but the end.
    const isSeen = source.top + source.height > top && source.top < top + this.scroll.clientHeight;
    const y0 = isSeen ? source.top + source.height / 2 - top : y1 + tip * 2.5;
    context.strokeStyle = context.fillStyle = color;
    context.beginPath();
    context.moveTo(x, y0);
    context.lineTo(x, y1);
    context.stroke();
    context.beginPath();
    context.arc(x, y0, 2, 0, 7);
    context.fill();
    context.beginPath();
    context.moveTo(x, y1);
    context.lineTo(x - 3, y1 + tip);
    context.lineTo(x + 3, y1 + tip);
    context.fill();
  }

  // Looks at the event loop that found something, and threads that were taken from other cores.
  drawMarks(context, shown, run) {
    const { state, colors } = this, top = this.scroll.scrollTop;
    for (const row of shown) {
      if (row.kind !== 'osThread') continue;
      const { marks } = run.osThreads[row.index];
      let low = 0, high = marks.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (marks[middle].at > state.from) high = middle; else low = middle + 1;
      }
      context.fillStyle = colors.mark;
      let lastX = -9;
      for (let i = low; i < marks.length && marks[i].at < state.to; i++) {
        const x = this.x(marks[i].at);
        if (x - lastX < 5) continue;
        lastX = x;
        const y = row.top + row.height - top;
        context.beginPath();
        context.moveTo(x, y - 6);
        context.lineTo(x - 2.5, y - 1);
        context.lineTo(x + 2.5, y - 1);
        context.fill();
      }
    }
  }

  drawSelection(context, run) {
    const { state, colors } = this, { selected, hover, rows } = state, height = this.scroll.clientHeight;
    const top = this.scroll.scrollTop;
    if (hover) {
      context.fillStyle = colors.faint;
      context.fillRect(Math.round(this.x(hover.time)), 0, 1, height);
    }
    if (state.chosen) {
      const [a, b] = state.chosen.map(time => this.x(time)).sort((a, b) => a - b);
      context.fillStyle = colors.mark;
      context.globalAlpha = 0.12;
      context.fillRect(a, 0, b - a, height);
      context.globalAlpha = 1;
    }
    if (!selected || selected.span < 0 || selected.thread < 0) return;
    const row = rows[rowThatShows(run, selected.thread)];
    if (!row || row.kind !== 'thread') return;
    const x0 = Math.max(-4, this.x(run.spans.start[selected.span]));
    const x1 = Math.min(this.width + 4, this.x(run.spans.start[selected.span + 1]));
    context.strokeStyle = colors.mark;
    context.lineWidth = 2;
    context.strokeRect(x0, row.top - top + 2, Math.max(2, x1 - x0), row.height - 4);
    context.lineWidth = 1;
    const woken = wakeOf(run, selected.span);
    if (woken >= 0 && run.spans.by[woken] >= BY_THREAD) {
      this.drawArrow(context, row, run.spans.by[woken] - BY_THREAD, run.spans.start[woken], colors.mark);
    }
  }

  // Labels are elements, as many as there are rows on the screen, so that a screen reader finds them.
  drawLabels(shown, first) {
    const { state } = this, box = this.element('labels'), top = this.scroll.scrollTop;
    while (this.labels.length < shown.length) {
      const label = document.createElement('div');
      label.append(document.createElement('b'), document.createElement('small'));
      box.append(label);
      this.labels.push(label);
    }
    box.dataset.rows = state.rows.length;
    if (state.current < 0) box.removeAttribute('aria-activedescendant');
    else box.setAttribute('aria-activedescendant', `row-${state.current}`);
    this.labels.forEach((label, i) => {
      const row = shown[i];
      label.hidden = !row;
      if (!row) return;
      label.className = `label ${row.kind}`;
      label.dataset.row = first + i;
      label.id = `row-${first + i}`;
      label.style.transform = `translateY(${row.top - top}px)`;
      label.style.height = `${row.height}px`;
      label.setAttribute('role', 'treeitem');
      label.setAttribute('aria-level', row.level);
      label.setAttribute('aria-posinset', first + i + 1);
      label.setAttribute('aria-setsize', state.rows.length);
      if (row.kind === 'group') label.setAttribute('aria-expanded', row.group.isOpen);
      else label.removeAttribute('aria-expanded');
      label.setAttribute('aria-selected', first + i === state.current);
      label.classList.toggle('found', row.kind === 'thread' && state.isFound.has(row.thread));
      label.firstChild.textContent = row.name;
      label.lastChild.textContent = factOf(state.run, row);
      label.title = row.name;
    });
  }
}

// What stands on a bar: of an OS thread's whom it ran, of a thread's what it waits for or who ran it.
function wordsOn(run, span, isOs) {
  if (isOs) return labelOf(run, threadOf(run, span));
  const state = run.spans.state[span];
  if (state >= WAITING) return run.reasons[state - WAITING] ?? '';
  if (state === RUNNABLE) return 'wants a processor';
  return placeOf(run, span) ?? '';
}

// What stands in small print beside the name of a row.
// How many threads, of a sum of shares of time.
function whole(shares) {
  return Math.max(0, Math.ceil(shares - 1e-6));
}

function factOf(run, row) {
  if (row.kind === 'group') {
    const peak = whole(row.group.density.peak);
    return plural(row.group.threads.length, 'thread') + (peak ? `, up to ${peak.toLocaleString('en')} at once` : '');
  }
  if (row.kind === 'osThread') {
    return run.ended > 0 ? `${Math.round(100 * run.busy[row.index] / run.ended)} %` : '';
  }
  if (row.kind === 'thread') {
    const ran = run.totals[row.thread * KINDS.length + KIND.run] + run.totals[row.thread * KINDS.length + KIND.alone];
    return ran > 0 ? length(ran) : '';
  }
  return '';
}
