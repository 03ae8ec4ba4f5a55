"""What all sections of a configuration share: strictness, number types, and how they report a mistake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

OWN_ERROR = "qdkernel"
"""Type of the errors raised by the sections' own validators; their ``ctx["text"]`` is the message."""

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Price = Annotated[float, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Word = Annotated[str, Field(min_length=1)]


if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Plain = TypeVar("Plain", bound=DataclassInstance)


class Section(BaseModel):
    """A mapping of the configuration: no other keys, no conversions, not changed after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def converted(section: Section, kind: type[Plain], **others: Any) -> Plain:  # Any: fields of ``kind``
    """A dataclass with the section's values in the fields of the same names; ``others`` are set as given."""
    names = [each.name for each in fields(kind) if each.name in type(section).model_fields]
    return kind(**{**{name: getattr(section, name) for name in names}, **others})


def mistake(text: str) -> PydanticCustomError:
    """An error for a validator to raise, with its whole message."""
    return PydanticCustomError(OWN_ERROR, "{text}", {"text": text})


def repeated(names: Iterable[str]) -> str:
    """The names that occur more than once, sorted and joined with commas; empty when there are none."""
    return ", ".join(sorted(name for name, times in Counter(names).items() if times > 1))
