// The picture of the rows, pixel by pixel: a row may have a hundred thousand spans, and each column of it
// shows exactly what share of its time went to which kind. So a span that is wider than a column is a bar,
// and what is narrower is piled up, the processor's part at the bottom. The pixels go to the canvas at once;
// words, lines and arrows are drawn over them.

const COLORS = { // chosen to be told apart by people who see fewer colours (Okabe and Ito)
  light: {
    back: '#ffffff', odd: '#f7f8fa', band: '#eceff3', line: '#dde1e7', text: '#1c2430', faint: '#5d6878', mark: '#111827',
    run: '#009e73', alone: '#00694c', block: '#a8508a', want: '#d55e00', io: '#56b4e9', lock: '#e6a700',
    message: '#5546b0', join: '#8a8f98', sleep: '#c3c8d0', lost: '#e3e3e3',
  },
  dark: {
    back: '#14181f', odd: '#181d25', band: '#212833', line: '#2b3340', text: '#e8ecf2', faint: '#9aa6b6', mark: '#f4f6fa',
    run: '#12b886', alone: '#0a7d5b', block: '#cc79a7', want: '#f07a2a', io: '#56b4e9', lock: '#f0c03c',
    message: '#9d92f0', join: '#7d8694', sleep: '#4b5462', lost: '#30343b',
  },
};

function bits(hex) { // as `Uint32Array` of an `ImageData` has it
  const n = parseInt(hex.slice(1), 16);
  return (0xff000000 | (n & 255) << 16 | (n >> 8 & 255) << 8 | n >> 16) >>> 0;
}

function mixed(a, b, share) { // of two such colours, so much of the first
  let out = 0xff000000;
  for (const shift of [0, 8, 16]) {
    out |= Math.round((a >>> shift & 255) * share + (b >>> shift & 255) * (1 - share)) << shift;
  }
  return out >>> 0;
}

// The colours of kinds: solid, and pale for what only waits. `only` is a kind that is alone in colour.
function inksOf(colors, only) {
  const back = bits(colors.back);
  return KINDS.map(({ key }, kind) => {
    const solid = mixed(bits(colors[key]), back, only === null || only === kind ? 1 : 0.13);
    const isWait = kind >= ACTIVE;
    return { solid, fill: isWait ? mixed(solid, back, key === 'sleep' || key === 'lost' ? 0.4 : 0.3) : solid, isWait };
  });
}

class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d', { alpha: false });
    this.share = new Float64Array(KINDS.length);
  }

  // Prepares for a picture of this size in CSS pixels.
  begin(width, height, colors, only) {
    const dots = Math.max(1, Math.min(3, window.devicePixelRatio || 1));
    const w = Math.max(1, Math.round(width * dots)), h = Math.max(1, Math.round(height * dots));
    if (this.canvas.width !== w || this.canvas.height !== h || !this.image) {
      this.canvas.width = w;
      this.canvas.height = h;
      this.image = this.context.createImageData(w, h);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    Object.assign(this, { dots, w, h, colors, inks: inksOf(colors, only), back: bits(colors.back) });
    this.pixels.fill(this.back);
  }

  // A rectangle, in pixels.
  rect(x0, x1, y0, y1, color) {
    const left = Math.max(0, x0), right = Math.min(this.w, x1);
    if (left >= right) return;
    for (let y = Math.max(0, y0), end = Math.min(this.h, y1); y < end; y++) {
      this.pixels.fill(color, y * this.w + left, y * this.w + right);
    }
  }

  // A bar of one kind. What waits is pale with a line at its foot; who wants a processor is striped.
  bar(x0, x1, y0, y1, kind) {
    const ink = this.inks[kind], { dots } = this;
    if (ink.isWait) {
      const foot = y1 - Math.max(1, Math.round(3 * dots));
      this.rect(x0, x1, y0, foot, ink.fill);
      this.rect(x0, x1, Math.max(y0, foot), y1, ink.solid);
    } else if (kind === KIND.want || kind === KIND.alone) {
      this.stripes(x0, x1, y0, y1, ink.solid, mixed(ink.solid, this.back, kind === KIND.want ? 0.35 : 0.72));
    } else {
      this.rect(x0, x1, y0, y1, ink.solid);
    }
  }

  stripes(x0, x1, y0, y1, color, other) {
    const left = Math.max(0, x0), right = Math.min(this.w, x1), wide = Math.round(3 * this.dots);
    for (let y = Math.max(0, y0), end = Math.min(this.h, y1); y < end; y++) {
      for (let x = left; x < right; x++) {
        this.pixels[y * this.w + x] = (x + y) % (2 * wide) < wide ? color : other;
      }
    }
  }

  // A column in which more than one thing happened: shares from the bottom up.
  pile(x, y0, y1, share, whole) {
    let y = y1;
    const height = y1 - y0;
    let sum = 0;
    for (let kind = 0; kind < share.length; kind++) {
      if (share[kind] <= 0) continue;
      sum += share[kind];
      // What is there at all is seen, if it is the processor's.
      const top = Math.min(kind < ACTIVE ? y - 1 : y, y1 - Math.round(height * Math.min(1, sum / whole)));
      if (top < y) this.rect(x, x + 1, Math.max(y0, top), y, this.inks[kind].fill);
      y = Math.min(y, top);
    }
  }

  // Spans in a row, `next(i)` the one behind `i`. Words for what is wide go to `words`.
  spans(spans, indices, first, last, view, y0, y1, kinds, words) {
    const { from, scale } = view, { share } = this, to = from + this.w / scale;
    const at = indices ? i => indices[i] : i => i;
    let column = -1, pieces = 0, lone = -1;
    share.fill(0);
    const flush = () => {
      if (column >= 0 && pieces > 0) {
        let sum = 0;
        for (let kind = 0; kind < share.length; kind++) sum += share[kind];
        if (pieces === 1 && sum > 0.98) this.bar(column, column + 1, y0, y1, lone);
        else this.pile(column, y0, y1, share, 1);
      }
      share.fill(0);
      pieces = 0;
    };
    const part = (x, amount, kind) => {
      if (amount <= 0) return;
      if (x !== column) {
        flush();
        column = x;
      }
      share[kind] += amount;
      if (pieces === 0 || kind !== lone) pieces++;
      lone = kind;
    };
    for (let i = first; i < last; i++) {
      const span = at(i), start = spans.start[span];
      if (start >= to) break;
      const x0 = Math.max(0, (start - from) * scale), x1 = Math.min(this.w, (spans.start[span + 1] - from) * scale);
      if (x1 <= x0) continue;
      const kind = kinds[spans.state[span]], a = Math.floor(x0), b = Math.floor(x1);
      if (a === b) {
        part(a, x1 - x0, kind);
        continue;
      }
      // Between runs that follow one another there is a gap, where they are wide enough for it.
      const begins = kind < ACTIVE && b - a > 6 * this.dots && start >= from, isEven = x0 - a < 0.02;
      if (!begins && !isEven) part(a, a + 1 - x0, kind);
      const left = isEven && !begins ? a : a + 1;
      if (b > left) {
        flush();
        column = -1;
        this.bar(left, b, y0, y1, kind);
        if (words && x1 - x0 > 34 * this.dots) words.push({ x0, x1, y0, y1, span, kind });
      }
      part(b, x1 - b, kind);
    }
    flush();
  }

  // A column for each share of the time.
  means(columns, y0, y1) {
    const width = KINDS.length, { share } = this;
    for (let x = 0; x < this.w; x++) {
      share.set(columns.subarray(x * width, (x + 1) * width));
      this.pile(x, y0, y1, share, 1);
    }
  }

  // A group: above, what all of its threads do; below, those that use a processor or want to, as large as
  // most of them at once in what is shown.
  group(columns, group, y0, y1) {
    const width = KINDS.length, { share, dots } = this;
    const split = y1 - Math.round((y1 - y0) * 0.42), gap = Math.round(dots);
    let most = 1;
    for (let x = 0; x < this.w; x++) {
      let active = 0;
      for (let kind = 0; kind < ACTIVE; kind++) active += columns[x * width + kind];
      most = Math.max(most, active);
    }
    for (let x = 0; x < this.w; x++) {
      share.set(columns.subarray(x * width, (x + 1) * width));
      this.pile(x, y0, split - gap, share, group.threads.length);
      share.fill(0, ACTIVE);
      this.pile(x, split, y1, share, most);
    }
    this.rect(0, this.w, split - gap, split, bits(this.colors.line));
  }

  // Puts the pixels on the canvas; what is drawn from here on is above them, in CSS pixels.
  end() {
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.putImageData(this.image, 0, 0);
    this.context.setTransform(this.dots, 0, 0, this.dots, 0, 0);
    this.context.font = '11px system-ui, "DejaVu Sans", sans-serif';
    this.context.textBaseline = 'middle';
    return this.context;
  }
}

// A text that fits into a width, or nothing.
function fitted(context, text, width) {
  if (width < 14) return '';
  if (context.measureText(text).width <= width) return text;
  let length = Math.floor(text.length * width / context.measureText(text).width);
  while (length > 2 && context.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return length > 2 ? `${text.slice(0, length)}…` : '';
}

// Moments for a scale: round ones, about a hundred pixels apart.
function ticks(from, to, width) {
  const rough = (to - from) / Math.max(2, width / 110), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(n => n * power).find(step => step >= rough) ?? rough;
  const list = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) list.push(at);
  return { step, list };
}
