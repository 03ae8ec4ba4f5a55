"""The kernel in a completion: the prompt cut off, special tokens removed, then the reader of model replies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from qdkernel.core import Kernel
from qdkernel.mutators.llm.replies import Miss, apply_edits, read_reply

Message = Mapping[str, Any]  # Any: content is text, or a list of parts
Text = str | Sequence[Message]
"""A prompt or completion as trainers hand it over: text, or a list of messages ``{"role", "content"}``."""

# <|im_end|>, <|eot_id|> and the full-width form; no C token begins like this
_SPECIAL = re.compile(r"<[|｜][^|｜<>\n]{1,40}[|｜]>")
# plain names only at the ends of a text: inside, "<s>" could be a comparison
_PLAIN_ENDS = re.compile(r"\A(?:\s*(?:<s>|<bos>))+|(?:(?:</s>|<eos>|<pad>|<end_of_turn>|<unk>)\s*)+\Z")
_TURN = re.compile(r"<[|｜](?:im_start|start_header_id|start|Assistant)[|｜]>\s*(?:assistant\b)?|<start_of_turn>model")


def kernel_in(completion: str, prompt: str, function: str) -> tuple[Kernel | None, str]:
    """The kernel of a completion, or ``None`` and why there is none.

    SEARCH/REPLACE blocks are applied to the kernel that the prompt shows, if it shows one.

    Args:
        completion: the model's text; may repeat the prompt in front and hold special tokens.
        prompt: the prompt's text, special tokens kept or not; empty when it is unknown.
        function: the function that a kernel defines.
    """
    reply = read_reply(without_special_tokens(without_prompt(completion, prompt)), function)
    if reply.source is not None:
        return Kernel(reply.source), ""
    if not reply.blocks:
        return None, str(reply.complaint)
    parent = read_reply(without_special_tokens(prompt), function).source
    if parent is None:
        return None, "the reply edits a kernel, but the prompt shows none; a whole kernel was expected"
    edited = apply_edits(parent, reply.blocks)
    if isinstance(edited, Miss):
        return None, "a SEARCH block does not fit the kernel in the prompt"
    return Kernel(edited), ""


def without_prompt(completion: str, prompt: str) -> str:
    """The completion without the prompt that it repeats in front.

    OpenRLHF's ``query`` is prompt plus completion with special tokens. Where only the special tokens or the blanks of
    the two differ, the prompt's words are counted off.
    """
    if not prompt.strip():
        return completion
    if completion.startswith(prompt):
        return completion[len(prompt) :]
    words = without_special_tokens(prompt).split()
    at = 0
    masked = _SPECIAL.sub(lambda found: " " * len(found[0]), completion)
    for word in words:
        match = re.compile(r"\s*" + re.escape(word)).match(masked, at)
        if match is None:
            return _last_turn(completion)
        at = match.end()
    rest = completion[at:]
    turn = _TURN.search(rest[:200])
    return rest[turn.end() :] if turn else rest


def _last_turn(text: str) -> str:
    turns = list(_TURN.finditer(text))
    return text[turns[-1].end() :] if turns else text


def without_special_tokens(text: str) -> str:
    """The text without the tokens that a tokenizer adds, e.g. ``<|im_end|>`` or ``</s>``."""
    return _PLAIN_ENDS.sub("", _SPECIAL.sub("", text))


def text_of(text: Text) -> str:
    """A completion as text: of messages, the last one of the assistant."""
    if isinstance(text, str):
        return text
    spoken = [message for message in text if message.get("role", "assistant") == "assistant"]
    return _content(spoken[-1]) if spoken else ""


def prompt_text(text: Text) -> str:
    """A prompt as text: of messages, the contents of all."""
    return text if isinstance(text, str) else "\n\n".join(map(_content, text))


def _content(message: Message) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else ()
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, Mapping))
