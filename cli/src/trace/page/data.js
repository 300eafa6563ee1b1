// What the page was made of: the bytes that `picture.rs` has written, in its order.
//
// Numbers are LEB128, texts their length and UTF-8. Of a thread and of an OS thread there are spans that
// follow one another without a gap, so that each has but a length; here they get their beginnings back. All
// spans of all threads lie in one array for each of their fields, a thread's in a row, and behind each
// thread's last one stands one more that says only where that ends.

// States of a thread; waits come last, each reason for itself.
const UNKNOWN = 0, RUNNABLE = 1, RUNNING = 2, ALONE = 3, BLOCKING = 4, WAITING = 5;
const OVER = 255;

// Who has made a thread runnable: nobody, an OS thread, or the green thread of this number plus two. Of who
// runs or blocks there is the OS thread in its place, plus one, or 0.
const BY_EVENT = 0, BY_OS_THREAD = 1, BY_THREAD = 2;

// States of an OS thread.
const ABSENT = 0, AWAKE = 1, ASLEEP = 2;

class Bytes {
  constructor(base64) {
    const text = atob(base64);
    this.bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) this.bytes[i] = text.charCodeAt(i);
    this.at = 0;
  }

  number() {
    let byte = this.bytes[this.at++];
    if (byte < 128) return byte;
    let value = byte & 127, scale = 128;
    do {
      byte = this.bytes[this.at++];
      value += (byte & 127) * scale; // Times have more bits than `|` knows of.
      scale *= 128;
    } while (byte > 127);
    return value;
  }

  text() {
    const length = this.number();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }

  list(read) {
    return Array.from({ length: this.number() }, read);
  }
}

function readRun(base64) {
  const bytes = new Bytes(base64);
  const run = {
    title: bytes.text(),
    note: bytes.text(),
    ended: bytes.number(),
    reasons: bytes.list(() => bytes.text()),
    names: bytes.list(() => bytes.text()),
  };
  run.osThreads = bytes.list(() => readOsThread(bytes));
  const threads = bytes.number(), spans = bytes.number();
  run.threads = {
    count: threads,
    number: new Float64Array(threads),
    name: new Uint32Array(threads),
    spawner: new Int32Array(threads),
    first: new Uint32Array(threads + 1),
  };
  run.spans = {
    count: spans,
    start: new Float64Array(spans + threads),
    state: new Uint8Array(spans + threads),
    by: new Uint32Array(spans + threads),
  };
  let next = 0;
  for (let thread = 0; thread < threads; thread++) next = readThread(bytes, run, thread, next);
  run.threads.first[threads] = next;
  return run;
}

function readOsThread(bytes) {
  const osThread = { name: bytes.text(), start: [], state: [], marks: [] };
  let at = 0;
  for (let left = bytes.number(); left > 0; left--) {
    osThread.state.push(bytes.number());
    osThread.start.push(at);
    at += bytes.number();
  }
  osThread.start.push(at);
  at = 0;
  for (let left = bytes.number(); left > 0; left--) {
    at += bytes.number();
    osThread.marks.push({ at, kind: bytes.number(), count: bytes.number() });
  }
  return osThread;
}

function readThread(bytes, { threads, spans }, thread, next) {
  threads.number[thread] = bytes.number();
  threads.name[thread] = bytes.number();
  threads.spawner[thread] = bytes.number() - 1;
  threads.first[thread] = next;
  let at = bytes.number();
  for (let left = bytes.number(); left > 0; left--, next++) {
    const state = bytes.number();
    spans.state[next] = state;
    spans.start[next] = at;
    at += bytes.number();
    if (state >= RUNNABLE && state <= BLOCKING) spans.by[next] = bytes.number();
  }
  spans.state[next] = OVER;
  spans.start[next] = at;
  return next + 1;
}
