"""The C front survives damage: mutated sources and objects, and every text or object that once hurt it."""

from __future__ import annotations

import shutil
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from qdkernel.evaluators.behaviour import describe
from qdkernel.evaluators.binary import CodeFunction, Section, SharedObject, disassemble, read_shared_object
from qdkernel.evaluators.source import Constants, parse
from qdkernel.mutators.schedule import tunables
from tests.fuzz import pools
from tests.fuzz.campaign import Report, run_campaign, save
from tests.fuzz.cases import DEADLINE_S, Case, judge, make_case
from tests.fuzz.source_mutations import LIMIT

SEED = 20261121
PEAK_BYTES = 512 << 20
CORPUS = sorted(path for path in pools.CORPUS.iterdir() if path.suffix in (".c", ".bin"))
HEAD = "void dgemm(int n) {"


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of compiled kernels; empty where none can be made."""
    folder = tmp_path_factory.mktemp("objects")
    if shutil.which("gcc") and pools.can_compile():
        pools.compile_objects(folder)
    return folder


@pytest.fixture
def whole(objects: Path) -> bytearray:
    """A kernel's shared object."""
    found = pools.objects(objects)
    if not found:
        pytest.skip("needs gcc on x86-64")
    return bytearray(found[0])


@contextmanager
def deadline(kind: str) -> Iterator[None]:
    """Fails what takes longer than a case may, in processor time."""

    def late(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"a {kind} took more than {DEADLINE_S[kind]:.0f} s")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, DEADLINE_S[kind])
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def check(report: Report, cases: int, objects: Path, folder: Path) -> None:
    """No finding; the message names the files with the bytes of those there are."""
    saved = [f"{save(finding, SEED, objects, folder)} {finding.what}" for finding in report.findings]
    assert saved == [], f"seed {SEED}; once mended, keep the files in {pools.CORPUS}"
    assert report.judged == cases
    assert report.peak_bytes < PEAK_BYTES


@pytest.mark.slow
def test_many_damaged_sources_and_objects_end_in_a_verdict(objects: Path, tmp_path: Path) -> None:
    check(run_campaign(2_000, SEED, objects), 2_000, objects, tmp_path)


def test_a_case_is_known_by_seed_and_number(objects: Path) -> None:
    assert [make_case(1, n, objects) for n in range(20)] == [make_case(1, n, objects) for n in range(20)]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_once_failed_passes(path: Path, tmp_path: Path) -> None:
    kind = "source" if path.suffix == ".c" else "object"
    with deadline(kind):
        judge(Case(kind, path.read_bytes()), tmp_path / "kernel.so")


LONG_MACRO = f"#define m {' '.join(f'x{n}' for n in range(5000))}\nint section;\n"
FLOODS = {
    "error recovery of the parser": (HEAD, "[[a "),
    "attributes without end": (HEAD, "[["),
    "attributes in a macro": ("#define X ", "[[ "),
    "attributes with an end": (HEAD, "[[a]]"),
    "attributes that name a long macro": (LONG_MACRO, "[[m]]"),
    "dereferences": (HEAD, "*"),
    "dereferences in brackets": (HEAD, "*(*("),
    "arrays of arrays": (HEAD + "double a", "[9]"),
    "functions of one name": (HEAD + "f(n);}", "void f(a){f(a);}"),
    "nested loops": (HEAD, "for(i=0;i<n;i+=64)"),
    "statements": (HEAD, "a;"),
    "brackets": (HEAD, "("),
    "continued lines": (HEAD, "\\\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_meets_its_deadline(name: str, tmp_path: Path) -> None:
    head, unit = FLOODS[name]
    source = (head + unit * LIMIT)[:LIMIT].encode()
    with deadline("source"):
        judge(Case("source", source), tmp_path / "kernel.so")


def test_many_callees_of_one_name_meet_their_deadline(tmp_path: Path) -> None:
    source = "".join(f"void f(int a{i}) {{ f(b); }}" for i in range(1300)) + HEAD + "f(n);" * 4000 + "}"
    with deadline("source"):
        judge(Case("source", source.encode()), tmp_path / "kernel.so")


def test_many_arrays_behind_many_pointers_meet_their_deadline(tmp_path: Path) -> None:
    arrays = "".join(f"double z{i}[9999];" for i in range(1000)) + HEAD + "".join(f"p=z{i};" for i in range(1000))
    source = arrays + "".join(f"p{i + 1}=p{i};" for i in range(2000)) + "p0=p;}"
    with deadline("source"):
        judge(Case("source", source.encode()), tmp_path / "kernel.so")


def test_digits_of_other_alphabets_are_no_number() -> None:
    assert [Constants({}).value(text) for text in ("①", "²", "٣", "64")] == [None, None, None, 64]


def test_a_range_of_thousands_of_digits_declares_nothing() -> None:
    assert tunables(f"#define T 1 /* tune: 1..{'9' * 5000} */") == ()


def test_where_the_parser_goes_astray_the_tree_is_empty() -> None:
    assert parse(HEAD + "[[a " * 16_000).root.named_children == []


def test_the_parser_comes_to_the_end_of_every_kernel() -> None:
    texts = [source.decode("utf-8", "replace") for source in pools.sources()]
    assert [text for text in texts if "dgemm" in text and not parse(text).root.child_count] == []


def refused(data: bytearray, folder: Path) -> str:
    """Why an object cannot be read."""
    (folder / "kernel.so").write_bytes(data)
    with deadline("object"), pytest.raises(ValueError, match=r"kernel\.so is not a well-formed") as caught:
        read_shared_object(folder / "kernel.so")
    return str(caught.value).partition("object: ")[2]


def headers(data: bytearray) -> list[tuple[int, int, int, int, int]]:
    """(place, type, flags, offset, size) of every section header."""
    (table,), (count,) = struct.unpack_from("<Q", data, 40), struct.unpack_from("<H", data, 60)
    places = [table + 64 * i for i in range(count)]
    return [(at, *struct.unpack_from("<4xIQ8xQQ", data, at)) for at in places]


def test_sections_that_overlap_do_not_multiply_memory(whole: bytearray, tmp_path: Path) -> None:
    data = whole + bytes(15 << 20)
    for at, kind, flags, _, _ in headers(whole):
        if kind == 1 and flags & 2:
            struct.pack_into("<QQ", data, at + 24, 0, len(data))
    assert refused(data, tmp_path) == "its tables overlap or have too many entries"


def test_a_table_of_a_million_symbols_is_refused(whole: bytearray, tmp_path: Path) -> None:
    data = whole + bytes(15 << 20)
    at = next(at for at, kind, *_ in headers(whole) if kind == 11)
    struct.pack_into("<QQ", data, at + 24, len(whole), 15 << 20)
    assert refused(data, tmp_path) == "its tables overlap or have too many entries"


def test_names_without_an_end_are_refused(whole: bytearray, tmp_path: Path) -> None:
    data = whole + b"A" * (15 << 20)
    for at, kind, *_ in headers(whole):
        if kind == 3:
            struct.pack_into("<QQ", data, at + 24, len(whole), 15 << 20)
    assert refused(data, tmp_path) == "its tables overlap or have too many entries"


def test_compressed_sections_are_refused(whole: bytearray, tmp_path: Path) -> None:
    at, flags = next((at, flags) for at, kind, flags, *_ in headers(whole) if kind == 1)
    struct.pack_into("<Q", whole, at + 8, flags | 1 << 11)
    assert refused(whole, tmp_path).endswith("is compressed, and may be of any size unpacked")


def test_functions_that_overlap_are_refused(whole: bytearray, tmp_path: Path) -> None:
    code = next(
        (struct.unpack_from("<Q", whole, at + 16)[0], size) for at, _, flags, _, size in headers(whole) if flags & 4
    )
    start, size = next((offset, size) for _, kind, _, offset, size in headers(whole) if kind == 2)
    for i, at in enumerate(range(start, start + size - 23, 24)):
        struct.pack_into("<B3xQQ", whole, at + 4, 2, code[0] + i, code[1] - i)
    assert refused(whole, tmp_path) == "its functions overlap"


def linked(code: bytes, constants: bytes = b"") -> SharedObject:
    """An object of one function."""
    text = Section(".text", 0x1000, len(code), False, True, code)
    rodata = Section(".rodata", 0x200000, len(constants), False, False, constants)
    function, sections = CodeFunction("dgemm", 0x1000, code), {".text": text, ".rodata": rodata}
    return SharedObject(
        0,
        "EM_X86_64",
        ("dgemm",),
        (),
        (),
        frozenset(),
        (),
        False,
        False,
        sections,
        (function,),
        {0x300000: "omp_get_thread_num"},
        {},
        "",
    )


@pytest.mark.parametrize("code", [b"\x75\xfe" * (1 << 19), b"\xff\xe0" * 300], ids=["jumps", "jumps through tables"])
def test_more_jumps_than_any_kernel_has_are_refused(code: bytes) -> None:
    limits = "a kernel has at most 16384 jumps and 256 jumps through tables, and this one has more: unroll less"
    with deadline("object"), pytest.raises(ValueError, match=limits):
        disassemble(linked(code))


NESTED = b"\x62\xf2\xf5\x48\xb8\xc2" * 8000  # fused multiply-adds, then as many jumps back
TWISTED = (
    b"\xff\x15"
    + struct.pack("<i", 0x300000 - 0x1006)
    + b"\x48\x89\xc1\x48\x89\x4c\x24\x08\x48\x01\xc8\x75\xf0" * 16_000
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        NESTED + b"".join(struct.pack("<BBi", 0x0F, 0x85, -12 * i - 6) for i in range(1, 8000)),
        TWISTED,
        b"\x90" * (1 << 20),
        (b"\x48\x8d\x05" + struct.pack("<i", 0x200000 - 0x1007) + b"\xff\xe0" + b"\x90" * 500) * 250,
    ],
    ids=["a nest of loops", "a thread's number through many blocks", "no jump at all", "large jump tables"],
)
def test_odd_code_meets_its_deadline(code: bytes) -> None:
    so = linked(code, struct.pack("<i", 0x1000 - 0x200000) * 10_000)
    with deadline("object"):
        describe("", so, disassemble(so), 1024, 3)
