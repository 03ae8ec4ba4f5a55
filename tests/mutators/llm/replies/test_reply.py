from __future__ import annotations

import json

import pytest

from qdkernel.core import Kernel
from qdkernel.llm import clean_line, clean_text
from qdkernel.mutators.llm import Strategy
from qdkernel.mutators.llm.replies import Complaint, read_plan, read_reply
from qdkernel.mutators.llm.replies.edits import EditBlock
from tests.paths import TRANSCRIPTS

KERNEL = "void f(int n)\n{\n    g(n);\n}\n"
OTHER = "void f(int n)\n{\n    h(n);\n}\n"
SHORT = "void f(){}\n"
BLOCK = "<<<<<<< SEARCH\na;\n=======\nb;\n>>>>>>> REPLACE\n"


def source(text: str) -> str | None:
    return read_reply(text, "f").source


def blocks(text: str) -> tuple[EditBlock, ...]:
    return read_reply(text, "f").blocks


def complaint(text: str) -> str:
    reply = read_reply(text, "f")
    assert reply.source is None
    assert reply.blocks == ()
    return reply.complaint


# -- ideas


@pytest.mark.parametrize(
    "line",
    [
        "IDEA: pack B",
        "**IDEA:** pack B",
        "**IDEA**: pack B",
        "Idea - pack B",
        "idea – pack B",
        "> IDEA: *pack B*",
        "- IDEA: `pack B`",
        "## IDEA: “pack B”",
        "IDEA: **pack B**",
        'IDEA: "pack B"',
        "/* IDEA: pack B */",
        "// IDEA: pack B",
        "IDEA:\n\npack B",
        "## Idea\n\npack B",
        "`IDEA: pack B`",
        "```\nIDEA: pack B\n```",
        "Sure!\n\nIDEA: pack B\nIDEA: another",
        "idea: a thought before\n\nIDEA: pack B",
        "IDEA: \x1b[31mpack\x1b[0m B\x07",
        "IDEA: \x1b]0;title\x07pack B",
        "IDEA: pack\u202e\u200b B",
    ],
)
def test_an_idea_is_found_however_it_is_written(line: str) -> None:
    assert read_reply(line + "\n", "f").idea == "pack B"


@pytest.mark.parametrize(
    "text", ["", "The idea is to pack B.", "idea-driven: x", "IDEA:", "IDEA:\n```c\n", f"IDEA:\n{BLOCK}", "ideal: x"]
)
def test_no_idea_is_made_up(text: str) -> None:
    assert read_reply(text, "f").idea == ""


def test_a_long_idea_ends_at_a_word_within_160_characters() -> None:
    idea = read_reply("IDEA: " + "pack it, " * 40, "f").idea
    assert len(idea) <= 160
    assert idea.endswith("it, pack…")


def test_products_and_pointers_in_an_idea_survive() -> None:
    assert clean_line("C = alpha*A*B, *c += a * b, **tile** of 2*m and (*p)(x*y)", 160) == (
        "C = alpha*A*B, *c += a * b, tile of 2*m and (*p)(x*y)"
    )


def test_a_line_of_one_long_word_is_cut_within_it() -> None:
    assert clean_line("x" * 200, 10) == "x" * 9 + "…"


# -- kernels


@pytest.mark.parametrize("label", ["", "c", "C", "cpp", "h", " c", "c title=kernel.c"])
def test_a_fence_that_defines_the_function_is_the_kernel(label: str) -> None:
    assert source(f"Here it is:\n```{label}\n{KERNEL}```\nEnjoy!") == KERNEL


@pytest.mark.parametrize(
    "text",
    [
        f"````c\n{KERNEL}````",
        f"~~~c\n{KERNEL}~~~",
        f"````markdown\nIDEA: x\n```c\n{KERNEL}```\n````",
        f"```markdown\nIDEA: x\n```c\n{KERNEL}```\n```",
        f"```c\n{KERNEL}",
        f"```c\nIDEA: x\n{KERNEL}```",
        f"   ```c\n{KERNEL}   ```",
        f"```sh\ngcc k.c\n```\n```c\n{KERNEL}```",
        f"```sh\ngcc k.c\n\n```c\n{KERNEL}```",
        f"```c\r\n{KERNEL}```".replace("\n", "\r\n"),
        f"```c\n\n\n{KERNEL}\n\n```",
        f"IDEA: x\n{KERNEL}",
        f"IDEA: x\n\n{KERNEL}\nThis is fast.",
        f"```c\nvoid f(int n);\n```\n```c\n{KERNEL}```",
        f"```c\n{KERNEL}```\n```c\nf(3);\n```",
        f"<think>\n```c\n{OTHER}```\n</think>\n```c\n{KERNEL}```",
        f"```c\n{KERNEL}```\nDraft of another:\n```c\nvoid f(int n) {{\n    if (n) {{\n",
    ],
)
def test_the_kernel_is_found_in(text: str) -> None:
    assert source(text) == KERNEL


def test_indentation_of_a_fence_is_taken_off_its_lines() -> None:
    listed = "1. This:\n   ```c\n" + "".join(f"   {line}\n" for line in KERNEL.splitlines()) + "   ```\n"
    assert source(listed) == KERNEL


def test_the_last_of_several_kernels_counts() -> None:
    assert source(f"```c\n{KERNEL}```\nBetter:\n```c\n{OTHER}```") == OTHER


def test_a_much_shorter_last_one_does_not_count() -> None:
    assert source(f"```c\n{KERNEL}```\nIn short:\n```c\n{SHORT}```") == KERNEL


def test_a_complete_kernel_goes_before_one_with_open_braces() -> None:
    assert source(f"```c\n{KERNEL}```\n```c\n{OTHER[:-2]}```") == KERNEL


def test_a_closed_fence_with_open_braces_is_left_to_the_compiler() -> None:
    assert source(f"```c\n{KERNEL[:-2]}```") == KERNEL[:-2]


def test_tildes_in_a_comment_do_not_end_a_fence() -> None:
    kernel = "/* Packing\n   ~~~~~~~ */\n" + KERNEL
    assert source(f"```c\n{kernel}```") == kernel


def test_braces_in_comments_strings_and_directives_do_not_count() -> None:
    kernel = '#define OPEN {\n/* { */\nvoid f(int n)\n{\n    puts("{");\n}\n'
    assert source(f"```c\n{kernel}") == kernel


@pytest.mark.parametrize("text", [f"```c\n{KERNEL[:-2]}", f"```c\n{KERNEL[:9]}", "```c\nstatic int", KERNEL[:-2]])
def test_a_cut_kernel_is_none(text: str) -> None:
    assert complaint(text) == "the reply was cut off before the kernel was complete"


def test_characters_that_no_kernel_needs_are_dropped() -> None:
    dirty = KERNEL.replace("g(n);", "g\u00a0(n);\x00 // \u202e\x1b[2J\ud800")
    assert source(f"```c\n{dirty}```") == KERNEL.replace("g(n);", "g (n); // \ufffd")


def test_a_kernel_of_any_reply_has_an_identity() -> None:
    kernel = source(f"```c\n// \ud800 \udcff \U0001f600\n{KERNEL}```")
    assert kernel is not None
    assert len(Kernel(kernel).id) == 64


# -- edit blocks


@pytest.mark.parametrize(
    "text",
    [
        BLOCK,
        f"```\n{BLOCK}```",
        f"```c\n{BLOCK}```\n",
        "prose\n" + BLOCK + "prose\n",
        BLOCK.replace("\n", "\r\n"),
        "<<<<< SEARCH\na;\n=====\nb;\n>>>>> REPLACE",
        "<<<<<<<<< SEARCH\na;\n=========\nb;\n>>>>>>>>> REPLACE",
        "<<<<<<< SEARCH (kernel.c, line 3)\na;\n======= then\nb;\n>>>>>>> REPLACE // done",
        "<<<<<<<SEARCH\na;\n=======\nb;\n>>>>>>>REPLACE",
        "<<<<<<<\na;\n=======\nb;\n>>>>>>>",
        "  <<<<<<< SEARCH\na;\n  =======\nb;\n  >>>>>>> REPLACE",
        "<<<<<<< SEARCH\n```c\na;\n```\n=======\n```c\nb;\n```\n>>>>>>> REPLACE",
        "Plan\n=======\n\n" + BLOCK,
    ],
)
def test_a_block_is_found_in(text: str) -> None:
    assert blocks(text) == (EditBlock("a;\n", "b;\n"),)
    assert read_reply(text, "f").complaint == ""


@pytest.mark.parametrize(
    "text", [BLOCK + BLOCK, f"```\n{BLOCK}\n{BLOCK}```", f"```\n{BLOCK}```\nthen\n```\n{BLOCK}```"]
)
def test_several_blocks_are_found_in_order(text: str) -> None:
    second = text.rindex("a;")
    assert blocks(text[:second] + "c;" + text[second + 2 :]) == (EditBlock("a;\n", "b;\n"), EditBlock("c;\n", "b;\n"))


def test_parts_of_a_block_may_be_empty() -> None:
    text = "<<<<<<< SEARCH\n=======\n\n>>>>>>> REPLACE\n<<<<<<< SEARCH\na;\n=======\n>>>>>>> REPLACE\n"
    assert blocks(text) == (EditBlock("", "\n"), EditBlock("a;\n", ""))


def test_blocks_that_hold_the_function_are_no_kernel() -> None:
    reply = read_reply(f"```c\n<<<<<<< SEARCH\n{KERNEL}=======\n{OTHER}>>>>>>> REPLACE\n```", "f")
    assert reply.source is None
    assert reply.blocks == (EditBlock(KERNEL, OTHER),)


def test_blocks_and_a_kernel_are_both_read() -> None:
    reply = read_reply(f"{BLOCK}\nAlternatively:\n```c\n{KERNEL}```", "f")
    assert (reply.source, reply.blocks) == (KERNEL, (EditBlock("a;\n", "b;\n"),))


# -- complaints


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Complaint.EMPTY),
        (" \n\t\n", Complaint.EMPTY),
        ("I cannot do that.", Complaint.PROSE),
        ("static scheduling is best;\nreally", Complaint.PROSE),
        ("<html><body>502 Bad Gateway</body></html>", Complaint.PROSE),
        ("```sh\nmake\n```", Complaint.PROSE),
        (BLOCK + BLOCK.removesuffix(">>>>>>> REPLACE\n"), Complaint.CUT_BLOCK),
        (BLOCK.replace("=======\n", ""), Complaint.HALF_BLOCK),
        (BLOCK.replace(">>>>>>> REPLACE\n", "") + BLOCK, Complaint.HALF_BLOCK),
        (BLOCK.replace("<<<<<<< SEARCH\n", "") + BLOCK, Complaint.HALF_BLOCK),
        (BLOCK * 101, Complaint.MANY_BLOCKS),
        ("```diff\n-a;\n+b;\n```", Complaint.DIFF),
        ("--- a/k.c\n+++ b/k.c\n@@ -1,3 +1,4 @@\n-a;\n", Complaint.DIFF),
        ("```c\nvoid f(int n);\n```", Complaint.NO_DEFINITION),
        ("```c\nvoid g(int n) { f(n); }\n```", Complaint.NO_DEFINITION),
        ("```c\n// void f(int n) { }\n```", Complaint.NO_DEFINITION),
        ("f()\n", Complaint.PROSE),
    ],
)
def test_a_reply_without_a_kernel_says_what_it_lacks(text: str, expected: Complaint) -> None:
    assert complaint(text) == expected


LARGE = 256 << 10


@pytest.mark.parametrize("size", [32 << 10, pytest.param(LARGE, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "unit",
    [
        "```c\n", "````\n", "```c\nf(){}\n```\n", "~~~ x\n", "`", "IDEA: *", "IDEA:\n", "idea ", "*a ", "**", "_", "-",
        "[", '{"a":', '["', '"\\"', '"', '[{"a":1},', ", ", "f(", "f(){}\n", "(", "){", "f\\ ", "\\\n", "/*f",
        "static ", "<", "<<<<<<< \n=======\n>>>>>>> \n", "<<<<<<<\n", "=======\n", "@@ -", "</think>",
        "\x1b[", "\x1b]", "\r", "\x00", "\ud800",
    ],
)  # fmt: skip
def test_a_large_reply_of_anything_is_read(unit: str, size: int) -> None:
    # Quadratic work on 256 KiB would take minutes.
    for text in (f"IDEA: {unit * (size // len(unit))}", f"```c\nf(){{{unit * (size // len(unit))}"):
        reply = read_reply(text, "f")
        assert len(reply.idea) <= 160
        assert reply.complaint or reply.blocks or reply.source
        assert read_plan(text, 4)
        assert len(clean_text(text, 100)) <= 100


def test_what_stands_after_256_kib_is_not_read() -> None:
    assert complaint("x" * LARGE + f"\n```c\n{KERNEL}```") == Complaint.PROSE


# -- plans


def test_a_plan_is_read() -> None:
    text = (TRANSCRIPTS / "20-plan.json").read_text(encoding="utf-8")
    plan = read_plan(json.loads(text)["reply"], 4)
    assert isinstance(plan, tuple)
    assert [strategy.parent for strategy in plan] == [1, 1, 1, 3]
    assert plan[1].target == "packed, 512-bit, static loop, prefetch both"
    assert plan[3].text.startswith("The machine has two 256-bit FMA pipes")


ITEM = '{"parent": 2, "target": "packed", "strategy": "pack B"}'


@pytest.mark.parametrize(
    "text",
    [
        f"[{ITEM}]",
        f"Here:\n```json\n[{ITEM}]\n```\nGood luck [1]!",
        f"As [1] says, use {{braces}}: [{ITEM},]",
        '[{"parent": 2, "target": "packed", "strategy": "pack B",},]',
        f'{{"strategies": [{ITEM}]}}',
        f'{{"note": "x", "plan": [{ITEM}], "more": 1}}',
        ITEM,
        '[{"Parent": "2", "TARGET": "packed", "Strategy": "pack B"}]',
        '[{"parent": "kernel 2", "target": ["packed"], "text": "pack B"}]',
        '[{"parent": 2.0, "target": "packed", "description": "pack\nB"}]',
        f"[{ITEM}, {{",
        f'<think>[{{"strategy": "no"}}]</think>[{ITEM}]',
        '[{"parent": 2, "target": "pac\u202eked", "strategy": "\\u001b[1mpack B\\u0000"}]',
    ],
)
def test_a_plan_is_found_in(text: str) -> None:
    assert read_plan(text, 4) == (Strategy(2, "packed", "pack B"),)


def test_missing_keys_of_a_plan_have_defaults() -> None:
    text = '[{"strategy": "a"}, {"target": "packed"}, {"parent": 3}, "b", {"parent": -0, "strategy": "c"}, 7, null]'
    assert read_plan(text, 9) == (
        Strategy(1, "", "a"),
        Strategy(1, "packed", ""),
        Strategy(1, "", "b"),
        Strategy(1, "", "c"),
    )


def test_commas_in_strings_stay() -> None:
    assert read_plan('[{"strategy": "a,] b,} c"}]', 1) == (Strategy(1, "", "a,] b,} c"),)


def test_objects_one_after_another_are_a_plan() -> None:
    assert read_plan(f"{ITEM}\n{ITEM}\n{ITEM}", 2) == (Strategy(2, "packed", "pack B"),) * 2


def test_a_plan_is_cut_to_count_and_its_texts_to_600_characters() -> None:
    plan = read_plan("[" + ",".join(['{"strategy": "' + "long " * 200 + '"}'] * 5) + "]", 3)
    assert isinstance(plan, tuple)
    assert len(plan) == 3
    assert all(590 < len(strategy.text) <= 600 for strategy in plan)


@pytest.mark.parametrize("text", ["", "no plan today", "[]", "[1, 2]", '{"a": 1}', "[{", "[" * 99999, "[" + "9" * 9999])
def test_without_strategies_a_plan_is_a_sentence(text: str) -> None:
    assert read_plan(text, 4) == "the reply holds no JSON list of strategies"


# -- text


def test_text_keeps_its_lines_but_nothing_that_a_terminal_obeys() -> None:
    assert clean_text("  a\r\n\tb\x1b[2J\x07 \n\n\n\n- **c**\u202e\n", 100) == "a\n    b\n\n- **c**"


def test_a_fence_around_a_whole_text_is_taken_off() -> None:
    assert clean_text("```text\na\nb\n```\n", 100) == "a\nb"
    assert clean_text("```c\na\n```\nand\n```c\nb\n```", 100) == "```c\na\n```\nand\n```c\nb\n```"
