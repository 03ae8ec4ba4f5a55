"""A model's text made safe: to read, to store and to show on a terminal."""

from __future__ import annotations

import re
import unicodedata

LONGEST_REPLY = 256 << 10
"""Characters of a reply that are read at all: four times the largest kernel that the source policy admits."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Control characters but for tab, newline, vertical tab and form feed, which C allows; zero-width and bidirectional
# characters, which no compiler takes outside comments and which make a kernel read other than it compiles
# (CVE-2021-42574).
_UNREADABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
# Without its first character a sequence is harmless; the rest of it goes too where it is certain to be one.
_ESCAPE = re.compile(
    r"""\x1b(?: \[ [0-?]*+ [\x20-/]*+ [@-~]?                        # CSI: cell_colors, cursor
             | [\]PX^_] [^\x07\x1b\n]{0,300}+ (?:\x07 | \x1b\\)  # OSC, DCS ...: titles, links
             )?""",
    re.VERBOSE,
)
_STRONG = re.compile(r"\*\*(?=\S)([^*\n]++)\*\*")
_EMPHASIS = re.compile(r"(?<![\w*)\]])\*(?=[^\s*])([^*\n]++)(?<=\S)\*(?![\w*(])")  # not a product or a pointer
_PAIRS = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "*": "*", "_": "_"}
_THOUGHTS = ("</think>", "</thinking>", "</reasoning>")


def readable(text: str) -> str:
    r"""What of a reply is read, stored and sent back: any text in, text that encodes as UTF-8 out.

    At most ``LONGEST_REPLY`` characters are read. A model's thinking, up to the last ``</think>``, is left out when
    anything follows it: drafts in it are not the answer. Lines end in ``\n``, no-break spaces become spaces, lone
    surrogates become U+FFFD; escape sequences, control, zero-width and bidirectional characters are dropped.
    """
    text = text[:LONGEST_REPLY].replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")
    return _spoken(_UNREADABLE.sub("", _ESCAPE.sub("", _SURROGATE.sub("\ufffd", text))))


def clean_line(text: str, limit: int) -> str:
    """One line of at most ``limit`` characters that a terminal shows as it is.

    Escape sequences, control, bidirectional and other invisible characters are gone, blanks are single, markdown's
    emphasis and the quotes around the whole are taken off. A longer text ends at a word, with an ellipsis.
    """
    # Cut before any work; twice the limit would not do, for all of it could be escape sequences.
    line = _visible(text[: 64 * limit + 1024])
    line = _EMPHASIS.sub(r"\1", _STRONG.sub(r"\1", line.replace("`", "")))
    line = _unquoted(" ".join(line.split()))
    if len(line) <= limit:
        return line
    head = line[: limit - 1]
    at_word = head.rsplit(" ", 1)[0]
    return (at_word if len(at_word) > limit // 2 else head).rstrip(" ,;:") + "…"


def clean_text(text: str, limit: int) -> str:
    """Text of at most ``limit`` characters with its newlines, but without the characters that a terminal obeys.

    A fence around the whole is taken off; trailing blanks and more than one empty line in a row are gone.
    """
    lines = [_visible(line).rstrip() for line in readable(text).replace("\t", "    ").split("\n")]
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    first, _, rest = body.partition("\n")
    if first.startswith("```") and "`" not in first[3:] and rest.endswith("\n```") and "```" not in rest[:-3]:
        body = rest[:-3].strip()
    return body[:limit].rstrip()


def _spoken(text: str) -> str:
    ends = [at + len(mark) for mark in _THOUGHTS if (at := text.rfind(mark)) >= 0]
    answer = text[max(ends) :] if ends else text
    return answer if answer.strip() else text


def _visible(line: str) -> str:
    kept = []
    for character in _ESCAPE.sub("", line):
        category = unicodedata.category(character)
        if character in "\t\n\r\v\f" or category in ("Zl", "Zp"):
            kept.append(" ")
        elif category not in ("Cc", "Cf", "Cs", "Co", "Cn"):
            kept.append(character)
    return "".join(kept)


def _unquoted(line: str) -> str:
    while len(line) > 1 and _PAIRS.get(line[0]) == line[-1] and line[0] not in line[1:-1]:
        line = line[1:-1].strip()
    return line
