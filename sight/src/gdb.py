"""Green threads of sylvan, in gdb.

    info sylvan             lists them
    sylvan bt ID|NAME       shows the frames of one
    sylvan thread ID|NAME   makes one the selected one: `bt`, `up`, `frame N`, `info locals` are about it
    sylvan thread           goes back to the OS thread

Nothing of the process is changed, so it works on core files, too: frame 0 is what the selected OS thread does,
and an unwinder of gdb's says that where the green thread waits has called it.
"""

import itertools
import struct
import time
import unicodedata

import gdb
from gdb.unwinder import Unwinder, register_unwinder

VERSION = 13
N_WORDS = 111
NOTE = 2

# The words of the runtime's table, in their order. A test compares them with those that the runtime has.
LAYOUT = """
head magic version n_words
roots slabs owner_below bound_below named_below name_at joined_at number_below parked_from next_id first_id n_others forked scheduler timers buckets entries clock_base_ns recording owners
slab next start stride n_cut class guard_len size
task next state reason class core lease stack_pointer first_frame bottom join id rare size
saved pc frame_pointer size
rare name
lease word claim os_thread state_bits running blocking size
scheduler cores inject woken apart
core owner inbox aside queue woken pinned pinned_woken overflow tick counts os_thread size
list head len size
queue head tail slots capacity size
buckets n stride first
waiter address task since_ns os_word owner_above reason next size
entries n_chunks per_chunk stride readers writers
entry_waiter task deadline_ns next size
"""

# What a parked thread waits for, each at its number.
REASONS = "futex sleep park join scope mutex condvar rwlock once barrier channel read write blocking semaphore signal poll send start destroy turn answer look-up child".split()

# The lowest word of state of a thread that has parked, and the unit of since when in that: 2 to this of nanoseconds.
PARKED, PARKED_SHIFT = 2147483648, 27

# The registers that lead from frame to frame: where a thread is, its stack pointer, its frame pointer.
REGISTERS = {"i386:x86-64": ("rip", "rsp", "rbp"), "aarch64": ("pc", "sp", "x29")}


def read(at, size):
    return bytes(gdb.selected_inferior().read_memory(at, size))


def word(at):
    return struct.unpack("=Q", read(at, 8))[0]


class Record:
    """A copy of something of which the table says where its fields are."""

    def __init__(self, layout, at):
        self.layout, self.at = layout, at
        self.bytes = read(at, layout["size"])

    def word(self, field):
        return struct.unpack_from("=Q", self.bytes, self.layout[field])[0]

    def half(self, field):
        return struct.unpack_from("=I", self.bytes, self.layout[field])[0]

    def byte(self, field):
        return self.bytes[self.layout[field]]


class Runtime:
    """A runtime in the process, by its table."""

    def __init__(self, table):
        for line in LAYOUT.split("\n"):
            if line:
                name, *fields = line.split()
                setattr(self, name, dict(zip(fields, struct.unpack("=%dQ" % len(fields), read(table, 8 * len(fields))))))
                table += 8 * len(fields)

    def threads(self):
        """All threads, each once."""
        found = {it.id: it for it in self.not_started()}
        found.update((it.id, it) for it in self.started())
        return found.values()

    def is_of_this_life(self, task):
        ids = range(word(self.roots["first_id"]), word(self.roots["next_id"]))
        return task.word("id") in ids or task.at == word(self.roots["forked"])

    def started(self):
        """Each stack that was ever used has a word that leads to its thread."""
        roots = self.roots
        below = [word(roots["owner_below"]), word(roots["bound_below"])]
        at = word(roots["slabs"])
        while at and below[0]:
            slab = Record(self.slab, at)
            for n in range(slab.word("n_cut")):
                bottom = slab.word("start") + n * slab.word("stride")
                top = bottom + slab.word("stride")
                owner = word(top - below[0]) or (below[1] and word(top - below[1]))
                if owner:
                    try:
                        task = Record(self.task, owner)
                    except gdb.MemoryError:
                        continue
                    is_here = task.word("bottom") == bottom and task.byte("class") == slab.byte("class")
                    if is_here and self.is_of_this_life(task):
                        yield Thread(self, task, range(bottom + slab.word("guard_len"), top))
            at = slab.word("next")

    def not_started(self):
        """Those that have no stack yet are in queues."""
        for at in self.queued():
            task = Record(self.task, at)
            if task.byte("class") and not task.word("bottom") and self.is_of_this_life(task):
                yield Thread(self, task, None)

    def queued(self):
        scheduler = word(self.roots["scheduler"])
        if not scheduler:
            return
        cores = scheduler + self.scheduler["cores"]
        for n in range(word(cores + 8)):
            core = Record(self.core, word(cores) + n * self.core["size"])
            for field in ("inbox", "aside"):
                yield from self.linked(core.word(field))
            for field in ("pinned", "pinned_woken", "overflow"):
                yield from self.listed(core.at + self.core[field])
            for field in ("queue", "woken"):
                ring = Record(self.queue, core.at + self.core[field])
                for i in range(ring.half("tail") - ring.half("head") & 0xFFFFFFFF):
                    yield word(ring.word("slots") + (ring.half("head") + i) % self.queue["capacity"] * 8)
        for field in ("inject", "woken"):
            yield from self.listed(scheduler + self.scheduler[field])

    def waited_for(self):
        """The descriptors that threads wait for, with what they do there, by their tasks."""
        entries, found = self.entries, {}
        chunks = struct.iter_unpack("=Q", read(self.roots["entries"], 8 * entries["n_chunks"]))
        for n, (chunk,) in enumerate(chunks):
            if chunk == 0:
                continue
            of_chunk = read(chunk, entries["per_chunk"] * entries["stride"])
            for i in range(entries["per_chunk"]):
                for field, verb in ("readers", "read"), ("writers", "write"):
                    first = struct.unpack_from("=Q", of_chunk, i * entries["stride"] + entries[field])[0]
                    for task in self.waiters(first):
                        found.setdefault(task, {}).setdefault(n * entries["per_chunk"] + i, []).append(verb)
        return found

    def waiters(self, at):
        """The tasks of a ring."""
        seen = set()
        while at and at not in seen:
            seen.add(at)
            waiter = Record(self.entry_waiter, at)
            yield waiter.word("task")
            at = waiter.word("next")

    def now_ns(self):
        """What the clock of the runtime says, where the process is here; None of what is left of one."""
        connection = getattr(gdb.selected_inferior(), "connection", None)
        base_ns = word(self.roots["clock_base_ns"])
        if connection is None or connection.type != "native" or base_ns == 0:
            return None
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) - base_ns

    def listed(self, at):
        return itertools.islice(self.linked(word(at + self.list["head"])), word(at + self.list["len"]))

    def linked(self, at):
        while at:
            yield at
            at = word(at + self.task["next"])


class Thread:
    """A green thread; one that has not started has no stack."""

    def __init__(self, runtime, task, stack):
        self.id = task.word("id")
        self.name = self.name_of(runtime, task, stack)
        self.stack = stack
        self.task, self.runtime = task, runtime
        self.registers = self.os_thread = self.parked_ns = None
        self.reason = ""
        if stack is None:
            self.state = "not started"
            return
        saved, at = runtime.saved, task.word("stack_pointer")
        self.first_frame = task.word("first_frame")
        if at in stack:
            self.registers = (word(at + saved["pc"]), at + saved["size"], word(at + saved["frame_pointer"]))
            state = task.half("state")
            is_parked = state >= struct.unpack("=I", read(runtime.roots["parked_from"], 4))[0]
            self.state = "parked" if is_parked else "runnable"
            self.parked_ns = state - PARKED << PARKED_SHIFT if is_parked else None
            reason = task.byte("reason")
            self.reason = REASONS[reason] if is_parked and reason < len(REASONS) else ""
            return
        if task.word("lease"):
            lease = Record(runtime.lease, task.word("lease"))
            is_blocking = lease.word("word") & runtime.lease["state_bits"] == runtime.lease["blocking"]
            self.state = "blocking" if is_blocking else "running"
            of_section = REASONS[-2:]
            self.reason = next((it for it in of_section if is_blocking and task.byte("reason") == REASONS.index(it)), "")
            self.os_thread = lease.half("os_thread")
        else:
            self.state, self.os_thread = "bound", task.half("core")

    @staticmethod
    def name_of(runtime, task, stack):
        try:
            if task.word("rare"):
                at = task.word("rare") + runtime.rare["name"]
                if word(at):
                    return read(word(at), min(word(at + 8), 4096)).decode(errors="replace")
            named_below = word(runtime.roots["named_below"])
            if named_below and stack:
                name = read(word(stack.stop - named_below) + word(runtime.roots["name_at"]), 16)
                return name.split(b"\0")[0].decode(errors="replace")
        except gdb.MemoryError:
            pass
        return ""

    def described(self):
        return "%d ('%s')" % (self.id, self.name) if self.name else str(self.id)

    def waits_for(self, descriptors, now_ns):
        """In words, by which descriptors threads wait for, and what the runtime's clock says."""
        if self.os_thread:
            return "%sOS thread %d" % (self.reason and self.reason + ", ", self.os_thread)
        words = file_words(descriptors.get(self.task.at, {})) or self.reason
        if now_ns is not None and self.parked_ns is not None:
            words += ", for %.1f s" % (max(now_ns - self.parked_ns, 0) / 1e9)
        return words

    def gdb_thread(self):
        """What gdb has for the OS thread that runs it."""
        threads = gdb.selected_inferior().threads()
        return next((it for it in threads if it.ptid[1] == self.os_thread), None)


def file_words(descriptors):
    """What who waits for these waits for: a child, where it is known that one is that."""
    if len(descriptors) != 1:
        return "%d descriptors" % len(descriptors) if descriptors else ""
    (descriptor, verbs), = descriptors.items()
    try:
        with open("/proc/%d/fdinfo/%d" % (gdb.selected_inferior().pid, descriptor)) as info:
            pid = next((line.split()[1] for line in info if line.startswith("Pid:")), None)
    except OSError:
        pid = None
    return "child " + pid if pid else "descriptor %d, %s" % (descriptor, " or ".join(verbs))


def tables():
    """Where tables are: a note of each object that has a runtime leads there."""
    for line in gdb.execute("info files", to_string=True).split("\n"):
        words = line.split()
        if words[3:5] != ["is", ".note.sylvan"]:
            continue
        start, end = int(words[0], 16), int(words[2], 16)
        notes, at = read(start, end - start), 0
        while at + 12 < len(notes):
            name_len, size, kind = struct.unpack_from("=3I", notes, at)
            name, at = notes[at + 12 : at + 12 + name_len], at + 12 + (name_len + 3 & ~3)
            if name == b"sylvan\0" and kind == NOTE and size == 4:
                yield start + at + struct.unpack_from("=i", notes, at)[0]
            at += size + 3 & ~3


def threads():
    if not gdb.selected_inferior().pid:
        raise gdb.GdbError("There is no process, and no core file.")
    found, version = [], None
    for table in tables():
        magic, (version, n_words) = read(table, 8), (word(table + 8), word(table + 16))
        if magic != b"SylvanAt" or version != VERSION:
            raise gdb.GdbError("The runtime is of version %d, and this script reads version %d." % (version, VERSION))
        if n_words != N_WORDS:
            its = version, n_words, N_WORDS
            raise gdb.GdbError("The runtime's table of version %d has %d words, and this script reads %d." % its)
        found += Runtime(table).threads()
    if version is None:
        raise gdb.GdbError("There is no runtime of sylvan in it.")
    return sorted(found, key=lambda it: it.id)


def thread(called):
    """The one of this number or name."""
    if not called:
        raise gdb.GdbError("Expected the number or the name of a green thread.")
    found = [it for it in threads() if called in (str(it.id), it.name)]
    if not found:
        raise gdb.GdbError("No green thread has the number or name `%s`." % called)
    return found[0]


class Switch(Unwinder):
    """Has the OS thread's innermost frame be called by where a parked thread goes on."""

    def __init__(self):
        super().__init__("sylvan")
        self.selected = None
        # As one that filters frames.
        self.priority = 100

    def select(self, thread):
        self.selected = thread
        gdb.invalidate_cached_frames()

    def __call__(self, frame):
        if self.selected is None:
            return None
        pc, sp, fp = (frame.read_register(it) for it in registers(frame))
        if int(sp) not in self.selected.stack:
            # As if it were right below, since callers are above.
            at, caller = self.selected.registers[1] - 16, self.selected.registers
        elif int(sp) >= self.selected.first_frame:
            # Nobody has called this one, which is how gdb takes it.
            at, caller = int(sp), (0, int(sp), 0)
        else:
            return None
        info = frame.create_unwind_info(FrameId(at, pc))
        for name, now, value in zip(registers(frame), (pc, sp, fp), caller):
            info.add_saved_register(name, gdb.Value(value).cast(now.type))
        return info

    def has(self, frame):
        """Whether a frame is the selected thread's."""
        pc, sp, _ = (int(frame.read_register(it)) for it in registers(frame))
        return sp in self.selected.stack and pc != 0

    def filter(self, frames):
        """Leaves out of a backtrace what is not the selected thread's."""
        return (it for it in frames if self.selected is None or self.has(it.inferior_frame()))

    def innermost(self):
        frame = gdb.newest_frame()
        while frame and not self.has(frame):
            frame = frame.older()
        if frame is None:
            raise gdb.GdbError("Its frames are not found.")
        return frame


def registers(frame):
    return REGISTERS[frame.architecture().name()]


class FrameId:
    """How gdb knows a frame again."""

    def __init__(self, sp, pc):
        self.sp, self.pc = gdb.Value(sp), pc


SWITCH = Switch()
register_unwinder(None, SWITCH, replace=True)
gdb.frame_filters[SWITCH.name] = SWITCH


class Sylvan(gdb.Command):
    """Looks at green threads: `sylvan bt ID|NAME`, `sylvan thread ID|NAME`, `sylvan thread`."""

    def __init__(self):
        super().__init__("sylvan", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class Backtrace(gdb.Command):
    """Shows the frames of a green thread, by its number or its name."""

    def __init__(self):
        super().__init__("sylvan bt", gdb.COMMAND_STACK)

    def invoke(self, argument, _):
        wanted, selected = thread(argument), SWITCH.selected
        print("green thread %s, %s" % (wanted.described(), " ".join((wanted.state, wanted.reason)).rstrip()))
        if wanted.stack is None:
            return
        before = gdb.selected_thread()
        if wanted.registers is None:
            its = wanted.gdb_thread()
            if its is None:
                raise gdb.GdbError("The OS thread %s that runs it is not there." % wanted.os_thread)
            its.switch()
        SWITCH.select(wanted if wanted.registers else None)
        try:
            gdb.execute("bt")
        finally:
            SWITCH.select(selected)
            before.switch()


class Select(gdb.Command):
    """Makes a parked thread the selected one, by its number or its name; without one, the OS thread again."""

    def __init__(self):
        super().__init__("sylvan thread", gdb.COMMAND_STACK)

    def invoke(self, argument, _):
        if not argument:
            SWITCH.select(None)
            return
        wanted = thread(argument)
        if wanted.stack is None:
            raise gdb.GdbError("It has not started.")
        if wanted.registers is None:
            its = wanted.gdb_thread()
            where = " (thread %d of gdb's)" % its.num if its else ""
            raise gdb.GdbError("It is %s on OS thread %s%s." % (wanted.state, wanted.os_thread, where))
        SWITCH.select(wanted)
        SWITCH.innermost().select()
        gdb.execute("frame")


def cell(name, n_columns):
    """A cell of a table: a name, cut off or filled up to so many columns."""
    def width(c):
        return 0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")

    # What is no character for a terminal is an escape.
    name = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)
    if sum(map(width, name)) > n_columns:
        ends = itertools.accumulate(map(width, name))
        name = "".join(c for c, end in zip(name, ends) if end < n_columns) + "…"
    return name + " " * (n_columns - sum(map(width, name)))


class Info(gdb.Command):
    """Lists the green threads: number, name, state, what each waits for, its OS thread."""

    def __init__(self):
        super().__init__("info sylvan", gdb.COMMAND_STATUS)

    def invoke(self, _, __):
        found, line = threads(), "%8s  %s  %-12s  %s"
        print(line % ("ID", cell("NAME", 20), "STATE", "WAITS FOR"))
        of_runtime = {it: (it.waited_for(), it.now_ns()) for it in {it.runtime for it in found}}
        for it in found:
            waits_for = it.waits_for(*of_runtime[it.runtime])
            print((line % (it.id, cell(it.name or "-", 20), it.state, waits_for)).rstrip())


for command in Sylvan, Backtrace, Select, Info:
    command()


def forget(_):
    """Whoever goes on does so where the OS thread is."""
    SWITCH.selected = None


gdb.events.cont.connect(forget)
