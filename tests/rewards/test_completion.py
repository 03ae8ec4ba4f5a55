from __future__ import annotations

import pytest

from qdkernel.rewards import kernel_in
from qdkernel.rewards.completion import text_of, without_prompt
from tests.conftest import naive
from tests.rewards.kernels import fast

SHOWN = f"Make it faster.\n```c\n{naive()}```\n"
ANSWER = f"<think>hm ```c\nvoid dgemm(){{}}\n```</think>IDEA: swap loops\n```c\n{fast()}```\n"


def source_in(completion: str, prompt: str = "") -> str | None:
    kernel, _ = kernel_in(completion, prompt, "dgemm")
    return None if kernel is None else kernel.source


def chat(prompt: str, answer: str) -> str:
    return f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>"


def test_fences_thinking_and_special_tokens_are_no_part_of_the_kernel() -> None:
    assert source_in(f"<s>{ANSWER}<|im_end|></s><pad><pad>") == fast()


@pytest.mark.parametrize(
    ("query", "prompt"),
    [
        (SHOWN + ANSWER, SHOWN),
        (chat(SHOWN, ANSWER), f"<|im_start|>user\n{SHOWN}<|im_end|>\n<|im_start|>assistant\n"),
        (chat(SHOWN, ANSWER), f"user\n{SHOWN}"),
        (chat(SHOWN, ANSWER), SHOWN),
        (f"<s>{SHOWN}\n\n{ANSWER}", SHOWN),
    ],
)
def test_a_prompt_in_front_is_cut_off_with_or_without_special_tokens(query: str, prompt: str) -> None:
    assert source_in(query, prompt) == fast()


@pytest.mark.parametrize("template", [lambda p, a: p + a, chat])
def test_the_kernel_of_the_prompt_is_never_rewarded(template: object) -> None:
    assert callable(template)
    assert source_in(template(SHOWN, "I give up."), SHOWN) is None


def test_edit_blocks_are_applied_to_the_kernel_of_the_prompt() -> None:
    line = naive().splitlines()[-2]
    reply = f"<<<<<<< SEARCH\n{line}\n=======\n{line} /* edited */\n>>>>>>> REPLACE\n"
    found = source_in(reply, SHOWN)
    assert found is not None
    assert "/* edited */" in found
    assert kernel_in(reply, "", "dgemm")[1] == (
        "the reply edits a kernel, but the prompt shows none; a whole kernel was expected"
    )


def test_of_messages_the_assistants_last_one_counts() -> None:
    parts: list[dict[str, object]] = [{"text": "yes"}]
    messages: list[dict[str, object]] = [
        {"role": "assistant", "content": "no"},
        {"role": "assistant", "content": parts},
    ]
    assert text_of(messages) == "yes"
    assert text_of([{"role": "tool", "content": "x"}]) == ""


def test_a_completion_that_does_not_repeat_its_prompt_stays_whole() -> None:
    assert without_prompt(ANSWER, SHOWN) == ANSWER


@pytest.mark.parametrize("garbage", ["", "\x00\ud800", "```c\n", "<|" * 1000, "{" * 10_000, "```" * 5000])
def test_any_text_is_fine_and_holds_no_kernel(garbage: str) -> None:
    kernel, complaint = kernel_in(garbage, garbage[:10], "dgemm")
    assert kernel is None
    assert complaint
