"""Export formats by name; the order is that of ``--help``."""

from __future__ import annotations

from qdkernel.export.contract import Format
from qdkernel.export.formats.axolotl import AXOLOTL
from qdkernel.export.formats.c_files import C_FILES
from qdkernel.export.formats.compiled import COMPILED
from qdkernel.export.formats.harbor import HARBOR
from qdkernel.export.formats.lineages import LINEAGES
from qdkernel.export.formats.llama_factory import LLAMA_FACTORY
from qdkernel.export.formats.nemo import NEMO
from qdkernel.export.formats.openai import OPENAI
from qdkernel.export.formats.openrlhf import OPENRLHF
from qdkernel.export.formats.records import RECORDS
from qdkernel.export.formats.t4 import T4
from qdkernel.export.formats.trl import TRL
from qdkernel.export.formats.verl import VERL

FORMATS: dict[str, Format] = {}
for _format in (
    *RECORDS,
    *C_FILES,
    *COMPILED,
    *TRL,
    *OPENAI,
    *LINEAGES,
    *VERL,
    *OPENRLHF,
    *NEMO,
    *AXOLOTL,
    *LLAMA_FACTORY,
    *T4,
    *HARBOR,
):
    assert _format.name not in FORMATS, f"two export formats are called {_format.name}"
    FORMATS[_format.name] = _format
