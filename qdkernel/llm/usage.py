"""Token counts as servers report them, and estimates where they do not."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass

from qdkernel.llm.chat import TokenUsage

_CHARACTERS_PER_TOKEN = 3.5  # of C and English alike with the vocabularies of today's models; an estimate
_MOST_TOKENS = 10**9  # no request has more; larger counts are mistakes

# OpenAI's names, those of its Responses API and of Anthropic, Ollama's own, Gemini's.
_PROMPT = ("prompt_tokens", "input_tokens", "prompt_eval_count", "promptTokenCount")
_COMPLETION = ("completion_tokens", "output_tokens", "eval_count", "candidatesTokenCount")
_TOTAL = ("total_tokens", "totalTokenCount")
_HOLDERS = ("usage", "usageMetadata", "x_groq", "error", "message", "metadata")
_DEPTH = 3


@dataclass(frozen=True)
class Counts:
    """Token counts that a server reported; ``None`` where it did not."""

    prompt: int | None = None
    completion: int | None = None

    def or_else(self, earlier: Counts) -> Counts:
        """These, and the earlier ones where these are missing."""
        return Counts(
            earlier.prompt if self.prompt is None else self.prompt,
            earlier.completion if self.completion is None else self.completion,
        )


NOTHING_COUNTED = Counts()


class Work(enum.Enum):
    """How much a server may have done, and bill, for a request whose tokens it did not count."""

    NONE = enum.auto()
    """It never got the request, or refused it unread."""
    PROMPT = enum.auto()
    """It may have read the prompt, e.g. before an internal error."""
    RECEIVED = enum.auto()
    """It generated what has been received."""
    MOST = enum.auto()
    """It may have generated up to the token limit, e.g. before the time limit."""


def counts_of(data: object, depth: int = _DEPTH) -> Counts:
    """The token counts in an answer: in its ``usage``, or wherever else servers put them, error objects included.

    Tokens that only the total includes were generated too: some vendors leave hidden reasoning out of the rest.
    """
    if not isinstance(data, Mapping) or depth == 0:
        return Counts()
    prompt, completion, total = (_first(data, names) for names in (_PROMPT, _COMPLETION, _TOTAL))
    if prompt and total and total > prompt:
        completion = max(completion or 0, total - prompt)
    # Nothing real is 0, which servers report for "not counted", unless the other count is there.
    counts = Counts(prompt or None, completion if completion or prompt else None)
    for name in _HOLDERS:
        counts = counts.or_else(counts_of(data.get(name), depth - 1))
    return counts


def estimate(characters: int) -> int:
    """Tokens of a text of so many characters, at least 1."""
    return max(1, round(characters / _CHARACTERS_PER_TOKEN))


def usage_of(
    counts: Counts, work: Work, prompt_characters: int, received_characters: int, max_tokens: int
) -> TokenUsage:
    """What a request cost in tokens: reported, else estimated; without money.

    Args:
        counts: as reported.
        work: what an estimate has to cover.
        prompt_characters: sent.
        received_characters: generated, as far as they arrived.
        max_tokens: the request's limit.
    """
    prompt, completion, estimated = counts.prompt, counts.completion, 0
    if work is Work.NONE and prompt is None and completion is None:
        return TokenUsage()
    if prompt is None:
        prompt = estimate(prompt_characters)
        estimated += prompt
    if completion is None:
        most = max_tokens if work is Work.MOST else 0
        completion = max(most, estimate(received_characters) if received_characters else 0)
        estimated += completion
    return TokenUsage(prompt, completion, 0.0, estimated)


def _first(data: Mapping[str, object], names: tuple[str, ...]) -> int | None:
    return next((count for name in names if (count := _count(data.get(name))) is not None), None)


def _count(value: object) -> int | None:
    """A token count: also one that came as a text or with a decimal point."""
    if isinstance(value, str) and len(value) < 20:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    whole = int(value) if math.isfinite(value) else -1
    return whole if whole == value and 0 <= whole < _MOST_TOKENS else None
