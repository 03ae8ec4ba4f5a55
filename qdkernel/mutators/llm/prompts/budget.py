"""Fills the text templates in ``prompts/`` and trims what is put into them until a prompt is short enough."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from qdkernel.llm import Message

PROMPTS = Path(__file__).parent / "templates"

PROMPT_TOKENS = 6000
"""Most tokens of a prompt, system and user message together, by ``estimate_tokens``."""

# Heuristic: with the vocabularies of today's models English runs to 4 characters per token or more, C with intrinsics
# to about 3. A prompt is half of each; no tokeniser need be installed, and the true count stays below the estimate.
_CHARACTERS_PER_TOKEN = 3.2

Variants = tuple[str, ...]
"""What may be put in one place of a template, from the fullest text to the shortest; ``""`` leaves the place out."""

DROPS = (
    "near",
    "mate_source",
    "setbacks",
    "lessons",
    "sweep",
    "ideas",
    "empty",
    "in_flight",
    "skills",
    "attempts",
    "guidance",
    "log",
    "evidence",
    "hot_loop",
)
"""Places that may shrink, the first to suffer first. Sources and the answer's format are never shortened."""


def estimate_tokens(text: str) -> int:
    """Tokens of a text, rather too many than too few: ``ceil(characters / 3.2)``."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)


@functools.cache
def template(name: str) -> str:
    """The text of ``prompts/<name>.txt``."""
    return (PROMPTS / f"{name}.txt").read_text(encoding="utf-8").strip()


def fill(text: str, values: Mapping[str, str]) -> str:
    """A template with its places filled; a paragraph that has an empty place is left out, heading and all.

    Paragraphs end at blank lines. What is filled in is never read as a template.

    Raises:
        KeyError: a place that ``values`` does not name.
    """
    kept = []
    for paragraph in text.split("\n\n"):
        names = Template(paragraph).get_identifiers()
        if all(values[name] for name in names):
            kept.append(Template(paragraph).substitute(values))
    return "\n\n".join(kept)


def fit(operator: str, parts: Mapping[str, Variants], limit: int = PROMPT_TOKENS) -> tuple[Message, ...]:
    """System and user message of an operator, with every place at its fullest text that lets the prompt fit.

    Places shrink one after the other in the order of ``DROPS``, each to nothing before the next is touched. A prompt
    that is still too long, because of its sources, stays so.

    Args:
        operator: names the template of the user message.
        parts: variants by place, for both templates.
        limit: tokens.
    """
    chosen = dict.fromkeys(parts, 0)
    messages = _messages(operator, parts, chosen)
    for name in DROPS:
        while name in parts and chosen[name] + 1 < len(parts[name]) and not fits(messages, limit):
            chosen[name] += 1
            messages = _messages(operator, parts, chosen)
    return messages


def fits(messages: tuple[Message, ...], limit: int = PROMPT_TOKENS) -> bool:
    """Whether messages stay within a number of tokens."""
    return sum(estimate_tokens(message.content) for message in messages) <= limit


def _messages(operator: str, parts: Mapping[str, Variants], chosen: Mapping[str, int]) -> tuple[Message, ...]:
    values = {name: variants[chosen[name]] for name, variants in parts.items()}
    return Message("system", fill(template("system"), values)), Message("user", fill(template(operator), values))


def shrinking(lines: Sequence[str], shorter: int) -> Variants:
    """All lines, then the first few, then nothing."""
    full = "\n".join(lines)
    if len(lines) <= shorter:
        return (full, "") if full else ("",)
    return full, "\n".join(lines[:shorter]), ""


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_FENCE_RUN = re.compile(r"`{3,}")


def one_line(text: str, limit: int = 200) -> str:
    """Words of unknown origin as one harmless line of at most ``limit`` characters.

    Control characters and line ends become blanks, and nothing in it can open or close a fence.
    """
    flat = " ".join(_FENCE_RUN.sub("'''", _CONTROL.sub(" ", text)).split())
    return flat if len(flat) <= limit else flat[: limit - 3].rstrip() + "..."


def fenced(code: str, language: str = "c") -> str:
    """Code between fences longer than any run of backticks in it, so that nothing in it can end the block."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"
