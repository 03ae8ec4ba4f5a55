"""A key that does not show."""

from __future__ import annotations

import re
from urllib.parse import quote

from qdkernel.llm.text import clean_line

# A provider's echo of a refused key: sk-ab****yz. Tried at the beginnings of words only: a text of 20,000 letters
# must not take quadratic time.
_MASKED = re.compile(r"(?<!\S)\S*\*{2,}\S*")
_USER_INFO = re.compile(r"(?<=://)[^/\s@]*@")
_LONGEST_SCANNED = 20_000  # characters of a text that are cleaned at all; no error message is longer for good reason
_TELLING = 8  # characters of a key's beginning or end that count as a part of it; shorter ones are words
_SHOWN = "[key]"


class Secret:
    """A key: no ``repr``, and so no traceback with local variables, shows it.

    Args:
        value: the key; ``None`` for a server that needs none.
    """

    __slots__ = ("_parts", "_value")

    def __init__(self, value: str | None) -> None:
        self._value = value
        self._parts = None if value is None else _parts_of(value)

    def __repr__(self) -> str:
        return f"Secret({_SHOWN})"

    @property
    def is_empty(self) -> bool:
        """Whether there is none."""
        return not self._value

    @property
    def can_be_sent(self) -> bool:
        """Whether an HTTP header can hold it: visible ASCII characters only."""
        return self._value is None or all("!" <= character <= "~" for character in self._value)

    def reveal(self) -> str:
        """The key as it is sent; the client needs some text even where the server needs none."""
        return self._value or "none"

    def scrub(self, text: str, limit: int) -> str:
        """One line of at most ``limit`` characters without the key, masked keys, URLs' users and control characters.

        The key is looked for before the text is cut, or half of it might stay; and again after control characters
        are gone, for they could have kept its parts asunder.
        """
        once = self._without(text[:_LONGEST_SCANNED])
        return clean_line(self._without(clean_line(once, _LONGEST_SCANNED)), limit)

    def _without(self, text: str) -> str:
        if self._parts is not None:
            text = self._parts.sub(_SHOWN, text)
        return _USER_INFO.sub("", _MASKED.sub(_SHOWN, text))


def _parts_of(key: str) -> re.Pattern[str]:
    """Matches the key, also as part of a URL, and a word that begins or ends with a telling part of it."""
    forms = [re.escape(key), re.escape(quote(key, safe=""))]
    if len(key) >= 2 * _TELLING:
        forms += [re.escape(key[:_TELLING]) + r"\S*", r"(?<!\S)\S*" + re.escape(key[-_TELLING:])]
    return re.compile("|".join(forms))
