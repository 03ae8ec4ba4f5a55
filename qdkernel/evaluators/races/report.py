"""ThreadSanitizer's report of a race, as two accesses with the lines of the kernel's source."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BEGIN = "WARNING: ThreadSanitizer: data race"
_ACCESS = re.compile(r"^  (?:Previous )?(?:atomic )?(read|write) of size (\d+) at ", re.IGNORECASE)
_FRAME = re.compile(r"^    #\d+ .*?\bkernel\.c:(\d+)")
_LONGEST_LINE = 120  # characters of a source line that are shown


@dataclass(frozen=True)
class Access:
    """One of the two accesses of a race.

    Attributes:
        writes: whether memory is written.
        num_bytes: of the access.
        line: of the kernel's source, from 1; ``None`` where the sanitizer has lost the place.
    """

    writes: bool
    num_bytes: int
    line: int | None


@dataclass(frozen=True)
class Race:
    """Two accesses of different threads to the same memory that nothing orders; at least one of them writes."""

    first: Access
    second: Access

    def describe(self, source: str) -> str:
        """The race in words, with the two lines of the source below."""
        numbers = sorted({access.line for access in (self.first, self.second) if access.line is not None})
        lines = source.splitlines()
        shown = [f"{n:5} | {lines[n - 1].strip()[:_LONGEST_LINE]}" for n in numbers if n <= len(lines)]
        return "\n".join(
            [f"{_words(self.first)} while another thread, not ordered with it, {_words(self.second, 'in')}", *shown]
        )


def _words(access: Access, preposition: str = "") -> str:
    what = f"{'writes' if access.writes else 'reads'} {access.num_bytes} byte{'s' if access.num_bytes > 1 else ''}"
    place = "a place that the sanitizer has lost" if access.line is None else f"line {access.line}"
    return f"{what} {preposition} {place}" if preposition else f"{place} {what}"


def read_race(report: str) -> Race | None:
    """The first race of a report; ``None`` when it has none.

    A stack is read from the inside out: the first frame in ``kernel.c`` counts, as intrinsics have frames in headers.
    """
    begin = report.find(_BEGIN)
    if begin < 0:
        return None
    accesses: list[Access] = []
    for line in report[begin:].splitlines()[1:]:
        if found := _ACCESS.match(line):
            accesses.append(Access(found[1].lower() == "write", int(found[2]), None))
        elif line.startswith("  ") and not line.startswith("   "):
            if len(accesses) == 2:
                break  # what the memory is, where the threads were started
        elif (frame := _FRAME.match(line)) and accesses and accesses[-1].line is None:
            last = accesses.pop()
            accesses.append(Access(last.writes, last.num_bytes, int(frame[1])))
    return Race(accesses[0], accesses[1]) if len(accesses) >= 2 else None
