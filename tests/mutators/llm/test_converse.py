from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qdkernel.core import Cell, Kernel, KernelId, Proposal
from qdkernel.llm import CallFailed, Completion, FailureKind, Message
from qdkernel.mutators.llm import Assignment, Ending, Expect, converse
from qdkernel.mutators.llm.converse import QUOTED
from tests.paths import TRANSCRIPTS

BASE = "void f(int n)\n{\n    g(n);\n}\n"
WHOLE = "void f(int n)\n{\n    h(n);\n}\n"
OPENING = (Message("system", "You write C."), Message("user", "Make it fast."))
FENCED = f"IDEA: call h\n```c\n{WHOLE}```\n"
EDIT = "IDEA: call h\n<<<<<<< SEARCH\n    g(n);\n=======\n    h(n);\n>>>>>>> REPLACE\n"
MISS = EDIT.replace("g(n);", "g(m);")


def assignment(expects: Expect = Expect.EDITS, base: str = BASE) -> Assignment:
    return Assignment("edit", OPENING, expects, base, (KernelId("p" * 64),), Cell(4, 3, 1, 1), {"stage": "one"})


class Model:
    """Answers with given replies and remembers what it was asked."""

    def __init__(self, *replies: str | Completion) -> None:
        self._replies = list(replies)
        self.asked: list[tuple[Message, ...]] = []

    def __call__(self, messages: tuple[Message, ...]) -> Completion:
        self.asked.append(messages)
        reply = self._replies.pop(0)
        return Completion(reply) if isinstance(reply, str) else reply


def hold(model: Model, expects: Expect = Expect.EDITS, base: str = BASE, resamples: int = 1) -> Ending:
    return converse(assignment(expects, base), model, "f", resamples)


def follow_up(reply: str | Completion, expects: Expect = Expect.EDITS, base: str = BASE) -> str:
    """What the model is told after a reply that cannot be used."""
    model = Model(reply, FENCED)
    hold(model, expects, base)
    assert len(model.asked) == 2, "the reply was used"
    return model.asked[1][-1].content


# -- endings


@pytest.mark.parametrize("expects", [Expect.EDITS, Expect.KERNEL])
@pytest.mark.parametrize("reply", [EDIT, FENCED, FENCED.replace("\n", "\r\n")])
def test_a_kernel_or_edits_end_as_a_proposal(expects: Expect, reply: str) -> None:
    ending = hold(Model(reply), expects)
    assert ending == Ending(
        proposal=Proposal(
            kernel=Kernel(WHOLE),
            operator="edit",
            idea="call h",
            parents=(KernelId("p" * 64),),
            target=Cell(4, 3, 1, 1),
            notes={"stage": "one"},
        ),
        messages=(*OPENING, Message("assistant", reply.replace("\r\n", "\n").strip())),
    )


@pytest.mark.parametrize(("expects", "call"), [(Expect.EDITS, "h(n);"), (Expect.KERNEL, "k(n);")])
def test_of_edits_and_a_kernel_the_one_asked_for_counts(expects: Expect, call: str) -> None:
    ending = hold(Model(EDIT + FENCED.replace("h(n);", "k(n);")), expects)
    assert ending.proposal is not None
    assert call in ending.proposal.kernel.source


def test_a_whole_kernel_beside_edits_that_miss_is_used() -> None:
    assert hold(Model(MISS + FENCED)).proposal is not None


def test_without_an_idea_the_proposal_says_where_it_aimed() -> None:
    ending = hold(Model(FENCED.replace("IDEA: call h\n", "")))
    assert ending.proposal is not None
    assert ending.proposal.idea == "edit towards packed/512/static/near"


def test_a_plan_ends_as_strategies() -> None:
    ending = hold(Model('[{"parent": 2, "target": "packed", "strategy": "pack"}]'), Expect.PLAN)
    assert [(s.parent, s.target, s.text) for s in ending.plan] == [(2, "packed", "pack")]
    assert ending.reason == ""


def test_a_text_ends_clean_and_at_most_4000_characters_long() -> None:
    assert hold(Model(" Packing pays.\x1b[2J\n- near\x00 "), Expect.TEXT).text == "Packing pays.\n- near"
    assert len(hold(Model("word " * 2000), Expect.TEXT).text) == 3999


# -- asking again


def test_a_miss_is_explained_and_asked_again() -> None:
    model = Model(MISS, EDIT)
    ending = hold(model)
    assert ending.proposal is not None
    said = model.asked[1]
    assert said[:2] == OPENING
    assert said[2] == Message("assistant", MISS.strip())
    assert said[3].role == "user"
    assert said[3].content.startswith("Block 1: its SEARCH part is not in the kernel.\nThe kernel has from line 1 on:")
    assert "-    g(m);\n+    g(n);\n" in said[3].content
    assert "None of your blocks was applied, so send all of them again." in said[3].content
    assert said[3].content.endswith("Or send the whole C file in one ```c block.")
    assert ending.messages == (*said, Message("assistant", EDIT.strip()))


def test_after_the_last_resample_the_reason_stands() -> None:
    model = Model(MISS, "sorry", MISS)
    ending = hold(model, resamples=2)
    assert ending.reason == "edit block 1: its SEARCH part is not in the kernel"
    assert ending.proposal is None
    assert [message.role for message in ending.messages] == ["system", "user", *["assistant", "user"] * 2, "assistant"]


def test_without_resamples_the_model_is_asked_once() -> None:
    model = Model("sorry")
    assert hold(model, resamples=0).reason == "the reply holds neither a C kernel nor a SEARCH/REPLACE block"
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    ("reply", "expects", "told"),
    [
        (
            "no",
            Expect.EDITS,
            "The reply holds neither a C kernel nor a SEARCH/REPLACE block. Send one line `IDEA: ...`",
        ),
        ("no", Expect.KERNEL, "then the whole C file, which defines f, in one ```c block."),
        ("", Expect.KERNEL, "The reply is empty."),
        ("```c\nint x;\n```", Expect.KERNEL, "No code block of the reply defines the kernel's function."),
        (f"```c\n{BASE}```", Expect.KERNEL, "equals the one it started from: it changes nothing."),
        (f"```c\n\n{BASE}  \n\n```", Expect.EDITS, "equals the one it started from: it changes nothing."),
        (EDIT.replace("h(n)", "g(n)"), Expect.EDITS, "The edits change nothing."),
        (EDIT.replace("    g(n);\n", BASE), Expect.EDITS, "The edits leave no definition of the kernel's function."),
        ("<<<<<<< SEARCH\na;\n", Expect.EDITS, "The last SEARCH/REPLACE block has no end"),
        ("no", Expect.PLAN, "The reply holds no JSON list of strategies. Send only a JSON list of objects"),
        (" \x00\n", Expect.TEXT, "Your reply is empty. Send the text that was asked for."),
    ],
)
def test_an_unusable_reply_is_told_what_it_lacks(reply: str, expects: Expect, told: str) -> None:
    assert told in follow_up(reply, expects)


def test_edits_without_a_base_ask_for_a_whole_kernel() -> None:
    told = follow_up(EDIT, Expect.EDITS, base="")
    assert "No line of the kernel resembles it." in told
    assert "whole C file, which defines f" in told


@pytest.mark.parametrize(
    ("expects", "base", "told"),
    [
        (Expect.EDITS, BASE, "SEARCH/REPLACE blocks for what changes."),
        (Expect.KERNEL, BASE, "SEARCH/REPLACE blocks for what changes."),
        (Expect.KERNEL, "", "a more compact C file in one ```c block."),
        (Expect.PLAN, "", "only what was asked for, in fewer words."),
    ],
)
def test_a_reply_cut_at_the_token_limit_is_asked_for_a_shorter_one(expects: Expect, base: str, told: str) -> None:
    said = follow_up(Completion(FENCED[:-8], finish_reason="length"), expects, base)
    assert said.startswith("Your reply was cut off at the token limit")
    assert said.endswith(told)


def test_the_reason_of_a_cut_reply_is_the_token_limit() -> None:
    cut = Completion("Let me think", finish_reason="length")
    assert hold(Model(cut), resamples=0).reason == "the reply was cut off at the token limit"


def test_a_whole_kernel_before_the_token_limit_is_used() -> None:
    assert hold(Model(Completion(FENCED + "The reason is", finish_reason="length"))).proposal is not None


def test_complete_edits_that_miss_are_explained_even_when_the_reply_was_cut() -> None:
    assert follow_up(Completion(MISS, finish_reason="length")).startswith("Block 1: its SEARCH part")


def test_long_replies_are_quoted_in_part_and_thinking_not_at_all() -> None:
    model = Model("<think>hm</think>" + "word " * 100_000, FENCED)
    ending = hold(model)
    assert model.asked[1][2].content == ("word " * 4000)[:QUOTED]
    assert "hm" not in ending.messages[2].content


def test_what_is_said_can_be_stored() -> None:
    ending = hold(Model("\ud800 \x00 no", " \x00"))
    assert [message.content for message in ending.messages[2::2]] == ["\ufffd  no", "(empty)"]
    assert ending.messages[-1].content.encode("utf-8")


@pytest.mark.parametrize("turn", [0, 1])
def test_a_failed_call_ends_the_conversation_at_any_turn(turn: int) -> None:
    def ask(messages: tuple[Message, ...]) -> Completion:
        if len(messages) == 2 + 2 * turn:
            raise CallFailed(FailureKind.TIMEOUT, "no answer within 60 s")
        return Completion(MISS)

    with pytest.raises(CallFailed, match="no answer within 60 s"):
        converse(assignment(), ask, "f")


def test_negative_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="resamples must be at least 0, not -1"):
        hold(Model(), resamples=-1)


# -- replies of a real model

EXPECTS = {"edit": Expect.EDITS, "repair": Expect.EDITS, "plan": Expect.PLAN}
FILES = sorted(TRANSCRIPTS.glob("*.json"))


def recorded(file: Path) -> tuple[Assignment, str]:
    """The assignment that a transcript answers, and its reply."""
    data = json.loads(file.read_text(encoding="utf-8"))
    messages = tuple(Message(m["role"], m["content"]) for m in data["request"]["messages"])
    shown = re.findall(r"```c\n(.*?)```", messages[-1].content, re.DOTALL)
    expects = EXPECTS.get(data["kind"], Expect.KERNEL)
    return Assignment(data["kind"], messages, expects, shown[-1] if shown else ""), data["reply"]


def test_there_are_twenty_transcripts() -> None:
    assert len(FILES) == 20


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_transcript_ends_at_once_with_what_was_asked_for(file: Path) -> None:
    asked, reply = recorded(file)
    ending = converse(asked, Model(reply), "dgemm", resamples=0)
    assert ending.reason == ""
    if asked.expects is Expect.PLAN:
        assert len(ending.plan) == 4
        return
    assert ending.proposal is not None
    source = ending.proposal.kernel.source
    assert source.endswith("}\n")
    assert "void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda," in source
    assert "```" not in source
    assert ending.proposal.idea
    assert ending.proposal.idea.rstrip("…") in reply.replace("`", "")


# -- mangled replies

RECORDED = [recorded(file) for file in FILES]
JUNK = [
    "```\n", "```c\n", "````\n", "~~~\n", "<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n", "IDEA:", "\n", "\r\n",
    "\t", "\x00", "\ud800", "\udcff", "\u202e", "\x1b[2J", "{", "}", "(", ")", '"', "'", "\\", "/*", "*/", "#if 0\n",
    "[", "]", ",", "<think>", "</think>", "<html>", "void dgemm(", "dgemm", "\ufeff", "é", "𝔘", "R\"(", "@@ -1 +1 @@\n",
]  # fmt: skip
Mangle = Callable[[str, int, int, str], str]


def _lines(change: Callable[[list[str], int, int], Iterable[str]]) -> Mangle:
    def mangle(text: str, a: int, b: int, junk: str) -> str:
        lines = text.splitlines(keepends=True) or [""]
        return "".join(change(lines, a % len(lines), b % len(lines)))

    return mangle


def _chunk(change: Callable[[str, str, str, str], str]) -> Mangle:
    def mangle(text: str, a: int, b: int, junk: str) -> str:
        first, last = sorted((a % (len(text) + 1), b % (len(text) + 1)))
        return change(text[:first], text[first:last], text[last:], junk)

    return mangle


def _swapped(lines: list[str], a: int, b: int) -> list[str]:
    lines[a], lines[b] = lines[b], lines[a]
    return lines


MANGLES: list[Mangle] = [
    _lines(lambda lines, a, b: lines[:a] + lines[a + 1 :]),
    _lines(lambda lines, a, b: lines[:a] + lines[a : a + b % 9] * 2 + lines[a:]),
    _lines(_swapped),
    _lines(lambda lines, a, b: ("  " * (b % 4) + x.lstrip() if i % 3 == a % 3 else x for i, x in enumerate(lines))),
    _chunk(lambda head, middle, tail, junk: head + middle[:200] * 2 + tail),
    _chunk(lambda head, middle, tail, junk: head + middle[200:] + tail),
    _chunk(lambda head, middle, tail, junk: head),
    _chunk(lambda head, middle, tail, junk: tail),
    _chunk(lambda head, middle, tail, junk: head + junk + middle + junk + tail),
    _chunk(lambda head, middle, tail, junk: f"{head}\n{junk}\n{middle}{tail}"),
    _chunk(lambda head, middle, tail, junk: head + junk + tail),
    lambda text, a, b, junk: text.replace("\n", "\r\n"),
]  # fmt: skip

mangled = st.tuples(
    st.integers(0, len(RECORDED) - 1),
    st.lists(
        st.tuples(
            st.sampled_from(MANGLES),
            st.integers(0, 9999),
            st.integers(0, 9999),
            st.sampled_from(JUNK) | st.text(max_size=9),
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["stop", "length"]),
)
unhurried = settings(
    max_examples=300,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def _ends_well(case: tuple[int, list[tuple[Mangle, int, int, str]], str]) -> None:
    number, steps, finish_reason = case
    asked, reply = RECORDED[number]
    for mangle, a, b, junk in steps:
        reply = mangle(reply, a, b, junk)
    completion = Completion(reply, finish_reason)
    ending = converse(asked, Model(completion, completion), "dgemm")
    assert (ending.reason == "") == (ending.proposal is not None or ending.plan != ())
    if ending.proposal is not None:
        assert "dgemm" in ending.proposal.kernel.source
        assert len(ending.proposal.kernel.id) == 64
        assert ending.proposal.idea.isprintable()
        assert len(ending.proposal.idea) <= 160
    assert all(len(message.content.encode("utf-8")) < 3 * QUOTED for message in ending.messages)


@given(mangled)
@unhurried
def test_mangled_replies_give_a_kernel_a_plan_or_a_reason(
    case: tuple[int, list[tuple[Mangle, int, int, str]], str],
) -> None:
    _ends_well(case)


@pytest.mark.slow
@given(mangled)
@settings(unhurried, max_examples=2_000)
def test_thousands_of_mangled_replies_give_a_kernel_a_plan_or_a_reason(
    case: tuple[int, list[tuple[Mangle, int, int, str]], str],
) -> None:
    _ends_well(case)
