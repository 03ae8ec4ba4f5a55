"""What servers and models put around a reply: template tokens, thinking, channels, JSON, tool calls."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAMES = r"(?:\w+:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|analysis|reflection|scratchpad)"
# A beginning and an end of thinking, in tags, brackets and the template tokens of several model families.
_THOUGHT = re.compile(
    rf"""\s*(?: <{_NAMES}> .*? </{_NAMES}>
          | \[THINK\] .*? \[/THINK\]
          | ◁think▷ .*? ◁/think▷
          | <\|(?:begin_of_thought|start_thinking|thinking|think)\|> .*?
            <\|(?:end_of_thought|end_thinking|/thinking|/think)\|>
        )""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]{0,80}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>")
_ANY_CHANNEL = re.compile(r"<\|channel\|>[^<]{0,80}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>")
# The channels' names when a server has dropped the tokens between them.
_BARE_CHANNELS = re.compile(r"analysis(?=[A-Z\s]).*assistant\s*final", re.DOTALL)
# Tokens of chat templates that never belong to a text; between vertical bars of either width any name counts.
_TOKEN = re.compile(
    r"<[|｜][^\s<>|｜]{1,40}[|｜]>|</?s>|<(?:start|end)_of_turn>|<(?:eos|bos|pad|unk)>|(?<![\w\])])\[/?INST\]|<<SYS>>|"
    r"(?<=```)\n+(?:#{2,3} (?:Instruction|Input|User|Human)|(?:User|Human|USER|HUMAN)):?\s*\n"
)
_OPEN_THOUGHT = re.compile(
    rf"\s*(?:<{_NAMES}>|\[THINK\]|◁think▷|<\|(?:begin_of_thought|start_thinking|thinking|think)\|>)", re.IGNORECASE
)
_ROLE = re.compile(r"\s*(?:assistant|model)\s*(?=<[|｜])|\s*(?:assistant|model)?\s*\n")
_FENCED_JSON = re.compile(r"```(?:json|JSON)[^\n]*\n(.*?)\n?```", re.DOTALL)
_CODE_NAMES = ("code", "kernel", "source", "c_code", "program", "implementation", "content", "edits", "diff", "patch")
_IDEA_NAMES = ("idea", "summary", "description", "explanation", "title")
_MARKS = ("```", "<<<<<<< SEARCH")
_DEPTH = 6


def bare(text: str) -> str:
    """The reply itself: without thinking at its beginning, channels, template tokens and turns that were made up.

    A reply that is nothing but such parts, or JSON without code, is returned as far as it can be read.
    """
    text = _after_leading_tokens(_of_channel(text))
    while (thought := _THOUGHT.match(text)) and thought.end() > thought.start():
        text = _after_leading_tokens(text[thought.end() :].lstrip())
    if token := _TOKEN.search(text):
        text = text[: token.start()]
    return _of_json(text)


def is_unfinished_thought(text: str) -> bool:
    """Whether a reply begins with thinking that never ends."""
    return _OPEN_THOUGHT.match(text) is not None and _THOUGHT.match(text) is None


def of_tool_call(arguments: object) -> str:
    """The text that a tool call's arguments hold: as JSON, as a JSON text, or as plain text."""
    if isinstance(arguments, str):
        data = _parsed(arguments)
        return arguments if data is None else _told(data) or arguments
    return _told(arguments) or ""


def _of_channel(text: str) -> str:
    """The first message of the final channel, for what follows was made up; else the last of any channel."""
    found = _FINAL.search(text) or _BARE_CHANNELS.match(text)
    if found is None:
        *_, found = [None, *_ANY_CHANNEL.finditer(text)]
    return text[found.end() :] if found else text


def _after_leading_tokens(text: str) -> str:
    """Without the template tokens and the role that a reply begins with."""
    rest = text.lstrip()
    while not _OPEN_THOUGHT.match(rest) and (token := _TOKEN.match(rest)):
        rest = rest[token.end() :]
        role = _ROLE.match(rest)
        rest = (rest[role.end() :] if role else rest).lstrip()
    return rest if rest != text.lstrip() else text


def _of_json(text: str) -> str:
    """The code in a reply that is a JSON object, bare or fenced; any other reply as it is, lists included."""
    stripped = text.strip()
    fenced = _FENCED_JSON.findall(text)
    candidates = [stripped] if stripped.startswith("{") else []
    if len(fenced) == 1 and text.count("```") == 2:
        candidates.append(fenced[0])
    for candidate in candidates:
        data = _parsed(candidate)
        if isinstance(data, Mapping) and (told := _told(data)):
            return told
    return text


def _parsed(text: str) -> object:
    """The JSON value of a text, whose strings may hold raw line ends; ``None`` for any other text."""
    try:
        data: object = json.loads(text.strip(), strict=False)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, (Mapping, list)) else None


def _told(data: object) -> str | None:
    """A reply made of the code and the idea that a JSON value holds; ``None`` when there is no code in it."""
    texts = list(_texts(data, "", _DEPTH))
    codes = [(name in _CODE_NAMES, len(text), text) for name, text in texts if _is_code(text)]
    if not codes:
        return None
    code = max(codes)[2]
    idea = next((" ".join(text.split()) for name, text in texts if name in _IDEA_NAMES and text is not code), "")
    head = f"IDEA: {idea}\n" if idea and "IDEA:" not in code else ""
    return head + (code if any(mark in code for mark in _MARKS) else f"```c\n{code.strip()}\n```\n")


def _is_code(text: str) -> bool:
    return any(mark in text for mark in _MARKS) or ("\n" in text and "{" in text and ";" in text)


def _texts(data: object, name: str, depth: int) -> Iterator[tuple[str, str]]:
    """Every text of a JSON value with the lower-case name it stands under."""
    if isinstance(data, str):
        yield name, data
    elif isinstance(data, Mapping) and depth:
        for key, value in data.items():
            yield from _texts(value, str(key).lower(), depth - 1)
    elif isinstance(data, list) and depth:
        for value in data:
            yield from _texts(value, name, depth - 1)


def text_of(content: object) -> str:
    """The text of a message: a string, or a list of parts; parts of thinking and of other types are left out."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping) and not _is_thinking(part)]
        return "".join(text_of(part.get("text")) for part in parts)
    # Half a surrogate pair, which JSON can spell, is not text that could be stored.
    return content.encode("utf-8", "replace").decode() if isinstance(content, str) else ""


def thinking_of(message: Mapping[str, Any]) -> str:  # Any: JSON
    """What a message holds in the fields that vendors use for thinking."""
    for name in ("reasoning_content", "reasoning", "thinking", "reasoning_text", "reasoning_details", "thought"):
        if text := text_of(message.get(name)):
            return text
    return ""


def _is_thinking(part: Mapping[str, Any]) -> bool:  # Any: JSON
    return part.get("type") in ("thinking", "reasoning", "thought", "redacted_thinking")
