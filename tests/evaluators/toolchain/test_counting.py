from __future__ import annotations

import pytest

from qdkernel.evaluators.toolchain.counting import COUNTERS_LIMIT, NotCountable, trace_bytes, with_counters

ASSEMBLY = """\
	.section	.text.f,"ax",@progbits
f:
	testl	%edi, %edi
	jle	.L1
	jmp	.L3
.L1:
	ret
	.section	.rodata
	.align 4
.L4:
	.long	.L1-.L4
	.section	.text.f
.L3:
	ret
"""


def test_every_label_and_every_way_past_a_conditional_jump_is_counted() -> None:
    text, counters = with_counters(ASSEMBLY)
    assert counters == 4  # f, past jle, .L1, .L3; neither the table nor what follows jmp
    lines = text.split("\n")
    assert [lines[i + 1] for i, line in enumerate(lines) if line in ("f:", ".L1:", ".L3:", "\tjle\t.L1")] == [
        "\tleaq\t-128(%rsp), %rsp"
    ] * 4
    assert [line for line in lines if "(%rax), %rcx" in line] == [f"\tmovq\t{8 * i}(%rax), %rcx" for i in range(4)]


def test_the_kernels_own_lines_stay_as_they_are() -> None:
    text, _ = with_counters(ASSEMBLY)
    rest = iter(text.split("\n"))
    assert all(line in rest for line in ASSEMBLY.rstrip("\n").split("\n"))


def test_too_many_blocks_are_not_counted() -> None:
    with pytest.raises(NotCountable, match="basic blocks; at most 32768 are counted: unroll less"):
        with_counters("\t.text\n" + ".L:\n" * (COUNTERS_LIMIT + 1))


def test_a_trace_is_whole_pages() -> None:
    assert trace_bytes(0) == 4096
    assert trace_bytes(3) == 8192
