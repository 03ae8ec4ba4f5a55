"""In words, the memory access that killed a contained child: which array it missed, and on which side.

The child reports an address. A hostile kernel may report any, which changes a message and nothing else.
"""

from __future__ import annotations

import enum

from qdkernel.evaluators.sandbox.memory import PAGE, Layout


class Fault(enum.IntFlag):
    """The bits of ``enum qd_fault``."""

    ANY = 1
    WRITE = 2
    CODE = 4
    STACK = 8
    PROTECTION = 16


def describe_fault(fault: Fault, address: int, stack_kib: int, layout: Layout, call: int) -> str:
    """What the access was; empty when nothing is known.

    Args:
        fault: its kind.
        address: in bytes from the guard page before the first segment of the layout.
        stack_kib: size of the child's stack; 0 when it is not known.
        layout: of the child's calls.
        call: index of the call that was under way.
    """
    if not fault & Fault.ANY:
        return ""
    if fault & Fault.PROTECTION:
        return (
            "a misaligned access: an aligned vector instruction, e.g. of _mm256_load_pd, at an address that is no "
            "multiple of its size; arrays are aligned to their elements only, so use loadu and storeu"
        )
    if fault & Fault.CODE:
        return "a jump to memory that holds no code, e.g. into the stack, as pointers to nested functions do"
    found = _near_array(address, layout, call, "write" if fault & Fault.WRITE else "read")
    if found:
        return found
    if fault & Fault.STACK:
        size = f" of {stack_kib} KiB" if stack_kib else ""
        return f"the stack{size} is full; use static or allocated memory for large buffers"
    return f"a {'write' if fault & Fault.WRITE else 'read'} far from every array, through a wild or null pointer"


def _near_array(address: int, layout: Layout, call: int, access: str) -> str:
    """The array that an access just missed, or was not allowed to write to; those of the call under way come first."""
    placed = {array.segment: array for other in layout.calls for array in other.arrays}
    current = {array.segment for array in layout.calls[min(call, len(layout.calls) - 1)].arrays}
    begin = PAGE
    near: list[tuple[bool, int, str]] = []
    for segment, num_bytes in enumerate(layout.segment_bytes):
        end = begin + num_bytes
        array = placed[segment]
        first = begin + array.segment_offset
        last = first + array.num_elements * array.dtype.itemsize
        name, other = array.argument.name, segment not in current
        if begin <= address < end:
            if access == "write":
                return f"a write to {name}, which is const"
            return f"a read of {name}"
        if end <= address < end + PAGE:
            where = f"{address - last} bytes behind the end" if address > last else "just behind the end"
            near.append((other, address - end, f"a {access} {where} of {name}"))
        if begin - PAGE <= address < begin:
            near.append((other, begin - address, f"a {access} {first - address} bytes before the start of {name}"))
        begin = end + PAGE
    return min(near)[2] if near else ""
