"""Export formats by name; the order is that of ``--help``."""

from __future__ import annotations

from qdkernel.export.axolotl import AXOLOTL
from qdkernel.export.c_files import C_FILES
from qdkernel.export.contract import Format
from qdkernel.export.harbor import HARBOR
from qdkernel.export.llama_factory import LLAMA_FACTORY
from qdkernel.export.nemo import NEMO
from qdkernel.export.openai import OPENAI
from qdkernel.export.openrlhf import OPENRLHF
from qdkernel.export.records import RECORDS
from qdkernel.export.t4 import T4
from qdkernel.export.trl import TRL
from qdkernel.export.verl import VERL

FORMATS: dict[str, Format] = {}
for _format in (*RECORDS, *C_FILES, *TRL, *OPENAI, *VERL, *OPENRLHF, *NEMO, *AXOLOTL, *LLAMA_FACTORY, *T4, *HARBOR):
    assert _format.name not in FORMATS, f"two export formats are called {_format.name}"
    FORMATS[_format.name] = _format
