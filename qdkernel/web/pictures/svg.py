"""SVG elements as text; every attribute and every text is escaped here and nowhere else."""

from __future__ import annotations

from markupsafe import Markup, escape

Value = str | int | float | None


def element(name: str, *children: str | Markup, **attributes: Value) -> Markup:
    """An element; underscores in attribute names become hyphens, a trailing one is dropped (``class_``).

    Args:
        name: of the element.
        children: markup, or text that is escaped.
        attributes: numbers are rounded to two decimals; ``None`` is left out.
    """
    given = "".join(f' {_name(key)}="{escape(_text(value))}"' for key, value in attributes.items() if value is not None)
    inner = "".join(escape(child) for child in children)
    return Markup(
        f"<{name}{given}>{inner}</{name}>" if inner or name == "iframe" else f"<{name}{given}/>"
    )  # escaped above


def text(x: float, y: float, content: str, **attributes: Value) -> Markup:
    """A text with its anchor at a point."""
    return element("text", content, x=x, y=y, **attributes)


def path(points: list[tuple[float, float]], **attributes: Value) -> Markup:
    """A line through points."""
    corners = "L".join(f"{number(x)},{number(y)}" for x, y in points)
    return element("path", d=f"M{corners}", **attributes) if points else Markup()


def picture(width: float, height: float, label: str, *children: Markup, **attributes: Value) -> Markup:
    """A picture that scales to its container, with a sentence for screen readers."""
    box = f"0 0 {number(width)} {number(height)}"
    return element("svg", *children, viewBox=box, role="img", aria_label=label, **attributes)


def number(value: float) -> str:
    """A coordinate with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _text(value: Value) -> str:
    return number(value) if isinstance(value, float) else str(value)
