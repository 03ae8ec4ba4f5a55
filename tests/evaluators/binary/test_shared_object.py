from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from qdkernel.evaluators.binary import SharedObject, disassemble, read_shared_object
from tests.compiled import compile_c, dgemm

Made = Callable[[str], SharedObject]

UNREACHED = """\
#include <math.h>
#include <string.h>
static double unreached(double x) { return sin(x); }
static const double table[] = {1, 2, 3};
static double scratch[100];
static double helper(double x);
"""
BODY = """\
    memcpy(scratch, A, (size_t)m * sizeof *A);
    C[0] = helper(scratch[m]) + table[n];
}
__attribute__((noinline)) static double helper(double x)
{
    return cos(x);
"""


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return lambda source: read_shared_object(compile_c(source, tmp_path))


def test_facts_of_a_linked_kernel(made: Made) -> None:
    so = made(dgemm(BODY, UNREACHED))
    assert so.machine == "EM_X86_64"
    assert so.exports == ("dgemm",)
    assert so.imports == ("cos", "memcpy")  # sin went with the function that nobody calls
    assert so.needed == ()
    assert so.ifuncs == ()
    assert not so.writable_code
    assert {f.name for f in so.functions} == {"dgemm", "helper"}
    assert set(so.got.values()) == {"cos", "memcpy"}
    assert so.section_size(".bss") >= 800
    assert so.section_size(".rodata") >= 24
    assert so.sections[".text"].executable
    assert "DT_INIT_ARRAY" not in so.dynamic_tags


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("helper", "assistant"),
        ("scratch", "buffer"),
        ("table", "values"),
        ("{1, 2, 3};", "{1, 2, 3}; /* a comment */\n\n"),
        ("unreached", "still_unreached"),
        ("sin(x)", "tan(x)"),
    ],
)
def test_names_comments_and_unreached_code_leave_the_hash(made: Made, old: str, new: str) -> None:
    source = dgemm(BODY, UNREACHED)
    assert made(source.replace(old, new)).code_hash == made(source).code_hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cos(x)", "sin(x)"),  # the same code but for a relocation
        ("{1, 2, 3}", "{1, 2, 4}"),
        ("scratch[100]", "scratch[101]"),
        ("+ table[n]", "- table[n]"),
    ],
)
def test_another_function_constant_or_size_changes_the_hash(made: Made, old: str, new: str) -> None:
    source = dgemm(BODY, UNREACHED)
    assert made(source.replace(old, new)).code_hash != made(source).code_hash


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"text", b"\x7fELF\x02\x01\x01" + b"\0" * 57])
def test_what_is_no_shared_object_is_a_clear_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "kernel.so"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"kernel\.so is not a well-formed 64-bit ELF shared object: "):
        read_shared_object(path)


def test_an_object_file_is_no_shared_object(tmp_path: Path) -> None:
    compile_c(dgemm("C[0] = 1;"), tmp_path)
    with pytest.raises(ValueError, match="expected a 64-bit shared object, got a 64-bit ET_REL"):
        read_shared_object(tmp_path / "kernel.o")


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "kernel.so"
    with path.open("wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(ValueError, match="larger than 16 MiB"):
        read_shared_object(path)


def test_damage_ends_in_facts_or_in_a_value_error(tmp_path: Path) -> None:
    whole = compile_c(dgemm(BODY, UNREACHED), tmp_path).read_bytes()
    rng, path = random.Random(3), tmp_path / "damaged.so"
    tables = [*range(64), *range(len(whole) - 1500, len(whole))]  # the headers, where damage hurts most
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            at = rng.choice(tables) if rng.random() < 0.8 else rng.randrange(len(data))
            data[at] = rng.choice((0, 0xFF, rng.randrange(256)))
        path.write_bytes(data[: rng.choice((len(data), rng.randrange(len(data))))])
        with contextlib.suppress(ValueError):
            disassemble(read_shared_object(path))
