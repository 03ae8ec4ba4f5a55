"""Every reader of text from outside takes time in proportion to its length, whatever the text repeats.

A quadratic regular expression took 17 s for 60 kB of empty lines once. Growth is compared, not seconds.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from qdkernel.core import Outcome, one_line, parse_cell, parse_prototype
from qdkernel.errors import QdkernelError
from qdkernel.evaluators.behaviour.packing import find_packing
from qdkernel.evaluators.behaviour.tile_loops import tile_loops
from qdkernel.evaluators.source import (
    needs_preprocessor,
    normal_hash,
    parse,
    read_preprocessed,
    refuse_source,
    tokenize_c,
    with_probes,
)
from qdkernel.evaluators.toolchain import Toolchain
from qdkernel.evaluators.toolchain.compiler import _flags
from qdkernel.evaluators.toolchain.counting import NotCountable, with_counters
from qdkernel.llm.context import permitted_tokens
from qdkernel.llm.failures import Unusable, read_error
from qdkernel.llm.response import Expected, read_body
from qdkernel.llm.secret import Secret
from qdkernel.llm.text import clean_line, clean_text, readable
from qdkernel.llm.wrapping import bare, is_unfinished_thought, of_tool_call
from qdkernel.mutators.llm.prompts.parts import trim_failure
from qdkernel.mutators.llm.prompts.target import parse_target_cell
from qdkernel.mutators.llm.replies import Miss, apply_edits, explain, read_plan, read_reply
from qdkernel.mutators.llm.replies.edits import EditBlock
from qdkernel.mutators.schedule import tunables, with_values
from qdkernel.problems.declared.tracked import track
from qdkernel.rewards.completion import kernel_in
from qdkernel.runs import read_machine_record
from qdkernel.strict_yaml import parse_yaml
from tests.fuzz.linear import LIMIT, growth

CELL = parse_cell("packed/512/static/near")
KEY = Secret("sk-0123456789abcdefghij")
REFUSALS = (QdkernelError, ValueError, Unusable, NotCountable)


def read_c(text: str) -> None:
    """The C front: policy, normal form, syntax tree, tiles, packing, tunable constants, headers."""
    refuse_source(text.encode(), "dgemm")
    normal_hash(text)
    syntax = parse(text)
    tile_loops(syntax, syntax.live("dgemm"), 1024)
    find_packing(syntax, syntax.live("dgemm"))
    with_values(text, {knob.name: knob.value for knob in tunables(text)})
    _flags(text, Toolchain("gcc", "as", "ld", "gcc 12", ()), Path("x.gch"))


def read_preprocessor(text: str) -> None:
    tokens = tokenize_c(text)
    needs_preprocessor(tokens)
    with_probes(tokens)
    read_preprocessed(tokenize_c("int x;\n"), text)


def read_http(text: str, content_type: str, head: str = "") -> None:
    read_body([(head + text).encode()], content_type, 200, Expected(8192, "KEY"))


def read_message(text: str) -> None:
    """What a server said of a failure."""
    failure = read_error(400, json.dumps({"error": {"message": text}}).encode(), {}, "KEY")
    failure.line("host", KEY)
    permitted_tokens(text, 8192, 1000)


def edit(text: str) -> None:
    for block in (EditBlock(text, "x\n"), EditBlock("a\n  b\n", text), EditBlock("", text, "dgemm")):
        found = apply_edits("int a;\n" + text, [block])
        if isinstance(found, Miss):
            explain(found)


READERS: dict[str, Callable[[str], object]] = {
    "C": read_c,
    "preprocessor's output": read_preprocessor,
    "assembly": partial(with_counters, processor="x86_64"),
    "assembly of aarch64": partial(with_counters, processor="aarch64"),
    "reply": partial(read_reply, function="dgemm"),
    "plan": partial(read_plan, count=3),
    "edit": edit,
    "completion": lambda text: kernel_in(text, "You write C.\n```c\nvoid dgemm(int n) {}\n```", "dgemm"),
    "completion and prompt": lambda text: kernel_in("a " + text, text, "dgemm"),
    "text of a model": lambda text: (readable(text), clean_text(text, 4000), clean_line(text, 200)),
    "what surrounds a reply": lambda text: (bare(text), is_unfinished_thought(text), of_tool_call(text)),
    "body": partial(read_http, content_type="application/json"),
    "body of text": lambda text: read_http(
        json.dumps({"choices": [{"message": {"content": text}}]}), "application/json"
    ),
    "stream": partial(read_http, content_type="text/event-stream", head="data: "),
    "error": read_message,
    "error's body": lambda text: read_error(500, text.encode(), {"retry-after": text[:4000]}, None),
    "YAML": parse_yaml,
    "machine record": read_machine_record,
    "prototype": parse_prototype,
    "target": lambda text: parse_target_cell(text, CELL),
    "failure in a prompt": lambda text: trim_failure(Outcome.COMPILE_ERROR, text),
    "shown text": one_line,
    "reference of a problem": lambda text: track(text, "x.c"),
}
HEADS = {
    "C": "void dgemm(int n) {",
    "reference of a problem": "void dgemm(int n) {",
    "prototype": "void f(int n",
    "YAML": "a: ",
}
PLAIN = ("\n", " ", "a", "a ", '"', "\\", "(", "[", "{", "<", "*", ":", "#", "`", "\u202e")
C = (
    *(
        "\t",
        "/*",
        "*/",
        "//\n",
        "'",
        "\\\n",
        "#define a a\n",
        "#if 0\n",
        "#include <immintrin.h>\n",
        "()",
        "[[",
        "a;",
        "f(",
    ),
    *("if(a)", "for(i=0;i<n;i+=64)", "int a;", "x=y;", "/* tune: 1..2 */", "#define A 1 /* tune: 1, 2 */\n", "%:"),
)
SAID = (
    *(
        "```",
        "```c\n",
        "```json\n",
        "```\n",
        "~~~\n",
        "IDEA: a\n",
        "**",
        "**a ",
        "*a ",
        "packed/",
        "cell ",
        "1, ",
        '[{"a":',
    ),
    *("<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n", "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n"),
    *(
        "<think>",
        "</think>",
        "<think></think>",
        "<|channel|>",
        "<|channel|>a<|message|>",
        "<|channel|>final",
        "analysis A",
    ),
    *("assistant\n", "<|im_start|>", "<s> ", "</s> ", "[INST]", "@@ -1,1 +1,1 @@\n", "\x1b", "\x1b[", "\x1b]0;"),
)
SERVED = ("data: {}\n", "data: ", "\\u0041", "://", "http://a", "@", "context ", "tokens 1 ", "<html>", "error: a\n")
FURTHER = {
    "C": C,
    "reference of a problem": C,
    "preprocessor's output": ('# 1 "a"\n', '# 1 "', "#pragma qdkernel 1\n"),
    "assembly": (".L1:\n", "\tjne .L1\n", "\t.section .text\n"),
    "YAML": ("- a\n", "a: b\n", "a:\n ", "&a ", "|\n", "!a ", "? "),
    "failure in a prompt": ("error: a\n", "kernel.c:1:1: error: a\n"),
    "prototype": ("int a, ", "int ", "* "),
    "edit": ("a\n", "  a\n"),
    **dict.fromkeys(("body", "stream", "error", "error's body"), SERVED),
}
"""What a reader's text may repeat besides ``PLAIN``; for the others what models say."""


@pytest.mark.parametrize("name", READERS)
def test_time_grows_with_the_length(name: str) -> None:
    read, head = READERS[name], HEADS.get(name, "")

    def whatever_comes(text: str) -> None:
        with contextlib.suppress(*REFUSALS):
            read(text)

    found = {unit: growth(whatever_comes, unit, head) for unit in (*PLAIN, *FURTHER.get(name, SAID))}
    assert {unit: times for unit, times in found.items() if times > LIMIT} == {}


def test_a_quadratic_reader_is_told_from_a_linear_one() -> None:
    assert growth(lambda text: sum(1 for _ in text for _ in range(len(text) // 100)), "a", "") > LIMIT
    assert growth(lambda text: sum(1 for _ in text for _ in range(10)), "a", "") <= LIMIT
