"""What a problem is: its definition, its C prototype, the arrays and scalars of a call."""

from qdkernel.core.problem.array_call import check_array, complete_call, complete_case, lowest_address, within_bound
from qdkernel.core.problem.definition import (
    Array,
    ArrayArgument,
    Arrays,
    Case,
    Expected,
    InputFamily,
    KernelBaseline,
    LibraryBaseline,
    Problem,
    Role,
    Scalar,
    Signature,
    size_text,
)
from qdkernel.core.problem.library_names import LIBRARY_NAMES
from qdkernel.core.problem.prototype import (
    Kind,
    Parameter,
    Prototype,
    check_prototype,
    parse_prototype,
    prototype_header,
    trampoline,
)

__all__ = [
    "LIBRARY_NAMES",
    "Array",
    "ArrayArgument",
    "Arrays",
    "Case",
    "Expected",
    "InputFamily",
    "KernelBaseline",
    "Kind",
    "LibraryBaseline",
    "Parameter",
    "Problem",
    "Prototype",
    "Role",
    "Scalar",
    "Signature",
    "check_array",
    "check_prototype",
    "complete_call",
    "complete_case",
    "lowest_address",
    "parse_prototype",
    "prototype_header",
    "size_text",
    "trampoline",
    "within_bound",
]
