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
    text, counters = with_counters(ASSEMBLY, "x86_64")
    assert counters == 4  # f, past jle, .L1, .L3; neither the table nor what follows jmp
    lines = text.split("\n")
    assert [lines[i + 1] for i, line in enumerate(lines) if line in ("f:", ".L1:", ".L3:", "\tjle\t.L1")] == [
        "\tleaq\t-128(%rsp), %rsp"
    ] * 4
    assert [line for line in lines if "(%rax), %rcx" in line] == [f"\tmovq\t{8 * i}(%rax), %rcx" for i in range(4)]


def test_the_kernels_own_lines_stay_as_they_are() -> None:
    text, _ = with_counters(ASSEMBLY, "x86_64")
    rest = iter(text.split("\n"))
    assert all(line in rest for line in ASSEMBLY.rstrip("\n").split("\n"))


def test_too_many_blocks_are_not_counted() -> None:
    with pytest.raises(NotCountable, match="basic blocks; at most 32768 are counted: unroll less"):
        with_counters("\t.text\n" + ".L:\n" * (COUNTERS_LIMIT + 1), "x86_64")


def test_a_trace_is_whole_pages() -> None:
    assert trace_bytes(0) == 4096
    assert trace_bytes(3) == 8192


def test_on_aarch64_no_counter_stands_between_an_exclusive_load_and_its_store() -> None:
    lines = [
        ".L2:",
        "\tldaxr\tw1, [x0]",
        "\tcmp\tw1, w2",
        "\tbne\t.L3",
        "\tstlxr\tw3, w4, [x0]",
        "\tcbnz\tw3, .L2",
        ".L3:",
    ]
    text, counters = with_counters("\n".join(lines), "aarch64")
    counted = [line for line, after in zip(text.split("\n"), text.split("\n")[1:], strict=False) if "stp\tx16" in after]
    assert counted == [".L2:", "\tcbnz\tw3, .L2", ".L3:"]
    assert counters == 3


def test_on_aarch64_far_counters_are_reached_by_pages() -> None:
    text, _ = with_counters("\t.text\n" + ".L:\n" * 514, "aarch64")
    lines = text.split("\n")
    assert [lines.count(f"\tadd\tx16, x16, #{page}, lsl #12") for page in (0, 1)] == [512, 2]
    assert lines.count("\tldr\tx17, [x16, #8]") == 2
