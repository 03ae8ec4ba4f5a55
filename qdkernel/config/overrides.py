"""``--set path=value``: single entries of a configuration changed from the command line."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping

from qdkernel.config.messages import path_text
from qdkernel.strict_yaml import EntryPath, Plain, parse_yaml

_PART = re.compile(r"(?:^|\.)(?P<key>[A-Za-z_][A-Za-z0-9_]*)|\[(?P<index>[0-9]{1,6})\]")
_EXAMPLE = "write path=value, e.g. budget.minutes=1, sizes=[256] or mutators[0].weight=2"


class OverrideMistake(ValueError):
    """An override that cannot be applied; the message begins with its ``--set`` text."""


def override(data: dict[str, Plain], text: str, defaults: Mapping[str, Plain]) -> EntryPath:
    """Sets one entry of ``data`` in place and returns its path.

    Args:
        data: the configuration as written.
        text: ``path=value``, the value in YAML; an empty value means null.
        defaults: values of top-level keys that ``data`` leaves out, so that ``mutators[0].weight=2`` finds them.

    Raises:
        OverrideMistake: not ``path=value``, a value that is not YAML, or a part that its holder cannot have.
    """
    where, equals, value_text = text.partition("=")
    text = without_secrets(text)  # from here on only shown
    path = _parse_path(where.strip())
    if not equals or not path or isinstance(path[0], int):
        raise OverrideMistake(f"--set {text}: expected path=value, got {text!r}; {_EXAMPLE}")
    document = parse_yaml(value_text)
    if document.faults:
        raise OverrideMistake(f"--set {text}: {document.faults[0].text}")
    top = path[0]
    if len(path) > 1 and data.get(top) is None:
        data[top] = copy.deepcopy(defaults.get(top, {}))
    holder: Plain = data
    for depth, part in enumerate(path):
        _check_part(holder, part, path[:depth], text)
        if depth == len(path) - 1:
            holder[part] = document.value
        else:
            holder = holder.setdefault(part, {}) if isinstance(holder, dict) else holder[part]
    return path


def without_secrets(text: str) -> str:
    """A ``--set`` text as it may be shown: one about a key may hold the key itself."""
    if "key" not in text.lower():
        return text
    where, sign, _ = re.split("([=:])", f"{text}=", maxsplit=1)
    return f"{where}{sign}..."


def _parse_path(text: str) -> EntryPath:
    parts: list[str | int] = []
    position = 0
    while match := _PART.match(text, position):
        parts.append(match["key"] if match["key"] is not None else int(match["index"]))
        position = match.end()
    return tuple(parts) if position == len(text) else ()


def _check_part(holder: Plain, part: str | int, path: EntryPath, text: str) -> None:
    name = path_text(path)
    if isinstance(part, int):
        if not isinstance(holder, list):
            raise OverrideMistake(f"--set {text}: {name} is not a list, so it has no entry [{part}]")
        if part >= len(holder):
            raise OverrideMistake(
                f"--set {text}: {name} has {len(holder)} entries, so [{part}] does not exist; count from [0], "
                f"or give the whole list: {name}=[...]"
            )
    elif not isinstance(holder, dict):
        raise OverrideMistake(f"--set {text}: {name} is not a mapping, so it has no key {part!r}")
