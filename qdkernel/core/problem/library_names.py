"""The functions of the C library that kernels may call."""

from __future__ import annotations

_MATHS = [
    "acos", "asin", "atan", "atan2", "acosh", "asinh", "atanh", "cbrt", "ceil", "copysign", "cos", "cosh", "erf",
    "erfc", "exp", "exp2", "expm1", "fabs", "fdim", "floor", "fma", "fmax", "fmin", "fmod", "frexp", "hypot", "ilogb",
    "ldexp", "lgamma", "llrint", "llround", "log", "log10", "log1p", "log2", "logb", "lrint", "lround", "modf",
    "nearbyint", "nextafter", "pow", "remainder", "rint", "round", "scalbn", "sin", "sincos", "sinh", "sqrt", "tan",
    "tanh", "tgamma", "trunc",
]  # fmt: skip
_MEMORY = [
    "memcpy", "memset", "memmove", "memcmp", "malloc", "calloc", "realloc", "free", "aligned_alloc",
    "posix_memalign",
    "abort",  # what an honest kernel calls when malloc fails; ends the contained child and nothing else
]  # fmt: skip

LIBRARY_NAMES = frozenset([*_MATHS, *(name + "f" for name in _MATHS), *_MEMORY])
"""Names of libm, in double and single precision, and of memory functions."""
