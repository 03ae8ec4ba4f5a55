"""Pages from views: Jinja2 templates that escape everything, and a policy that lets nothing else run or load.

Scripts and styles are inlined and admitted by their hash, so a page needs no second file and no server, and text that
should slip through the escaping cannot run.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from qdkernel.web.json_text import json_text
from qdkernel.web.page.panels import PANEL_FUNCTIONS
from qdkernel.web.pictures import color_scale

SCRIPTS = ("page", "c_highlight", "line_diff", "samples", "record", "replay", "live", "run_list")


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("qdkernel.web")
    made = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals.update(PANEL_FUNCTIONS)
    return made


def render(template: str, **values: Any) -> Markup:  # Any: what the template shows
    """A part of a page, e.g. ``run_body.html.j2``."""
    return Markup(_environment().get_template(template).render(**values))


def page(title: str, body: Markup, data: Mapping[str, Any], details: str = "", live: bool = False) -> str:  # Any: JSON
    """A whole page.

    Args:
        title: plain text.
        body: from ``render``.
        data: JSON that the scripts read.
        details: base64 of gzipped JSON with records by number; for a report that has no server to ask.
        live: the page may ask the server it came from, and no other.
    """
    return render(
        "page.html.j2",
        title=title,
        body=body,
        data=script_json(data),
        details=details,
        policy=policy(live),
        style=Markup(style()),
        script=Markup(script()),
    )


def policy(live: bool) -> str:
    """The Content-Security-Policy of a page."""
    rules = [
        "default-src 'none'",
        f"style-src '{_hash(style())}'",
        f"script-src '{_hash(script())}'",
        *(["connect-src 'self'"] if live else []),
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(rules)


def script_json(data: Mapping[str, Any]) -> Markup:  # Any: JSON values
    """JSON that can stand in a script element: nothing in it ends the element or begins a comment or an entity."""
    text = json_text(data)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@functools.cache
def style() -> str:
    """The style sheet of every page."""
    return _static("style.css") + color_scale.css()


@functools.cache
def script() -> str:
    """The script of every page, one scope for all files."""
    return '(() => {\n"use strict";\n' + "\n".join(_static(f"{name}.js") for name in SCRIPTS) + "\nstart();\n})();\n"


def _static(name: str) -> str:
    return resources.files("qdkernel.web").joinpath("static", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
