"""Whether a server's context is large enough: limits that it states, and prompts that it cuts without a word."""

from __future__ import annotations

import re
import threading

from qdkernel.llm.failures import RAISE_CONTEXT
from qdkernel.llm.response import Answered, cut_by_context
from qdkernel.llm.usage import Counts, estimate

LEAST_TOKENS = 512
"""A reply shorter than this holds no kernel, so no limit is lowered below it."""

_NUMBER = re.compile(r"\d[\d,_]*")
_REPLY_LIMIT = re.compile(
    r"max_?(?:new_|completion_|output_)?tokens|maxoutputtokens|(?:completion|output|generated|new) tokens|"
    r"in the completion|for the completion",
    re.I,
)
_TOO_MUCH = re.compile(
    r"too (?:large|high|big|many|long)|exceed|greater than|more than|at most|no more than|less than|up to|maximum|"
    r"limit|range|between|<=|≤|must be|should be|however,? you requested",
    re.I,
)
_OTHER_FIELD = re.compile(
    r"unsupported parameter|unknown (?:parameter|field|argument)|not permitted|extra inputs", re.I
)
_CONTEXT = re.compile(r"(?:context|`?inputs?`? tokens \+)[^0-9]{0,60}(\d[\d,_]*)", re.I)
_GIVEN = re.compile(
    r"(\d[\d,_]*) *`?(?:inputs?|prompt)`?\b|(\d[\d,_]*) *(?:tokens? )?(?:in|from|of) (?:the |your )?"
    r"(?:messages|prompt|input)|(?:prompt|input|messages)[^0-9.;]{0,40}(\d[\d,_]*) *tokens",
    re.I,
)
_MARGIN = 16  # tokens: servers count a few for themselves
_ESTIMATE_OFF = 1.2  # a prompt may have this many times the tokens of its estimate

_FAR_BELOW = 0.6  # of the estimate; code is never so much denser than 3.5 characters a token
_LEARNED_BELOW = 0.8  # of what the same server counted for earlier prompts of the same kind
_LEAST_PROMPT = 1000  # tokens; shorter prompts fit everywhere
_BLOCK = 1024  # contexts are a multiple of it


def permitted_tokens(said: str, sent: int, prompt_characters: int) -> int | None:
    """The reply limit that a server would accept, from the words with which it refused one.

    Servers state their limit in many ways, so numbers are looked for by what stands around them. Where only the
    context is stated, the prompt is taken off; where nothing is, half the limit is tried.

    Args:
        said: the server's words.
        sent: the refused limit, in tokens.
        prompt_characters: of the refused request.

    Returns:
        Tokens, from ``LEAST_TOKENS`` to ``sent - 1``; ``None`` when the words are about something else, or so little
        is permitted that no kernel fits.
    """
    if not _REPLY_LIMIT.search(said) or not _TOO_MUCH.search(said) or _OTHER_FIELD.search(said):
        return None
    given = _number(_GIVEN.search(said))
    if context := _number(_CONTEXT.search(said)):
        limit = context - (given or round(estimate(prompt_characters) * _ESTIMATE_OFF)) - _MARGIN
    else:
        numbers = [int(re.sub("[,_]", "", text)) for text in _NUMBER.findall(said) if len(text) < 12]
        below = [number for number in numbers if LEAST_TOKENS <= number < sent and number != given]
        limit = max(below, default=sent // 2)
    if limit >= sent:  # it was refused all the same, so the words do not tell the whole limit
        limit = sent // 2
    return limit if limit >= LEAST_TOKENS else None


class ContextCheck:
    """Compares the tokens that a server counted with what was sent to it; may be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._most_per_character = 0.0
        self._at_a_block: dict[int, int] = {}  # characters of the prompt for which a multiple of 1024 was counted
        self._told_prompt = self._told_reply = False

    def notice(self, prompt_characters: int, counts: Counts) -> str:
        """A notice that the server cut the prompt; empty when it did not, or when that was reported before."""
        if counts.prompt is None:
            return ""
        with self._lock:
            if self._told_prompt or not self._is_cut(prompt_characters, counts.prompt):
                return ""
            self._told_prompt = True
        sent = estimate(prompt_characters)
        what = f"the server counted {counts.prompt:,} prompt tokens of about {sent:,} that were sent"
        return f"{what}: it seems to cut prompts; {RAISE_CONTEXT}"

    def notice_reply(self, answer: Answered, max_tokens: int) -> str:
        """What to tell about a reply: that the context ended it before its limit; empty otherwise."""
        if answer.finish_reason != "length" or not cut_by_context(answer.counts, max_tokens):
            return ""
        with self._lock:
            told, self._told_reply = self._told_reply, True
        what = (
            f"a reply was cut after {answer.counts.completion:,} of {max_tokens:,} tokens: the server's context is full"
        )
        return "" if told else f"{what}; {RAISE_CONTEXT}"

    def _is_cut(self, characters: int, counted: int) -> bool:
        """Three signs: far too few, far fewer than for earlier prompts, or the same full blocks for different ones."""
        if estimate(characters) < _LEAST_PROMPT:
            return False
        per_character = counted / characters
        learned, self._most_per_character = self._most_per_character, max(self._most_per_character, per_character)
        if counted < _FAR_BELOW * estimate(characters) or per_character < _LEARNED_BELOW * learned:
            return True
        if counted % _BLOCK not in (0, _BLOCK - 1):
            return False
        earlier = self._at_a_block.setdefault(counted, characters)
        return abs(earlier - characters) > 0.02 * characters


def _number(match: re.Match[str] | None) -> int | None:
    found = next((text for text in match.groups() if text), "") if match else ""
    return int(re.sub("[,_]", "", found)) if 0 < len(found) < 12 else None
