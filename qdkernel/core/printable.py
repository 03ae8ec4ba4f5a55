"""Text from outside (kernels, compilers, models, foreign run folders) made safe to show to a person."""

from __future__ import annotations

LIMIT = 4096  # characters of a message; heuristic: two screens, a compiler can write megabytes

_CUT = " [...]"


def printable(text: str, keep: str = "", limit: int | None = LIMIT) -> str:
    r"""``text`` without anything that a terminal or a browser would obey instead of showing it.

    C0 and C1 control characters (among them the escape that starts a terminal sequence), bidirectional and other
    format controls, lone surrogates, private and unassigned characters become U+FFFD; other white space becomes a
    blank.

    >>> printable("a\x1b]0;title\x07b\tc")
    'a\ufffd]0;title\ufffdb c'

    Args:
        text: of any origin.
        keep: characters to leave as they are, e.g. line feeds and tabs of a source.
        limit: most characters returned, an ellipsis included; ``None`` for all.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - len(_CUT)] + _CUT
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else " " if c.isspace() else "\ufffd" for c in text)


def one_line(text: str, limit: int | None = LIMIT) -> str:
    """``printable`` on one line: every run of white space is one blank."""
    return " ".join(printable(text, limit=limit).split())
