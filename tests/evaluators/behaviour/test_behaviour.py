from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from qdkernel.core import AXES, cell_name, parse_cell
from qdkernel.evaluators.behaviour import describe
from qdkernel.evaluators.behaviour.tile_loops import tile_loops
from qdkernel.evaluators.binary import disassemble, read_shared_object
from qdkernel.evaluators.source import Constants, parse
from qdkernel.problems import find_problem
from tests.compiled import AVX2, AVX512, compile_c, dgemm
from tests.paths import CASES, GALLERY

pytestmark = pytest.mark.isa_dependent

KERNELS = sorted(GALLERY.glob("*.c"))
EXTENT = 512
NEST_DEPTH = 3


def expected(path: Path) -> str:
    """The cell that a gallery file announces in its first line."""
    match = re.match(r"/\* expect: (\S+)\n", path.read_text())
    assert match, f"{path.name} does not begin with /* expect: <cell>"
    return match[1]


def measured(source: str, folder: Path, problem: str = "dgemm", target: str = AVX512) -> tuple[str, dict[str, str]]:
    """The cell of a source, in words, and the reasons."""
    so = read_shared_object(compile_c(source, folder, problem, target))
    cell, evidence = describe(source, so, disassemble(so), EXTENT, NEST_DEPTH)
    return cell_name(cell), evidence


def gallery(name: str) -> str:
    """The source of a gallery kernel."""
    return (GALLERY / f"{name}.c").read_text()


@pytest.mark.parametrize("name", [path.stem for path in KERNELS])
def test_each_kernel_of_the_gallery_lands_in_its_cell(name: str, tmp_path: Path) -> None:
    cell, evidence = measured(gallery(name), tmp_path)
    assert cell == expected(GALLERY / f"{name}.c"), evidence


def test_the_gallery_shows_every_level_of_every_axis_three_times() -> None:
    cells = [parse_cell(expected(path)) for path in KERNELS]
    counts = Counter((axis.name, axis.levels[cell[i]]) for cell in cells for i, axis in enumerate(AXES))
    rare = [level for axis in AXES for level in axis.levels if counts[axis.name, level] < 3]
    assert rare == []
    assert len(KERNELS) >= 24


@pytest.mark.parametrize("name", ["packed_256", "blocked_scalar_grid", "cache_256_streamed", "chunked"])
def test_comments_and_layout_move_nothing(name: str, tmp_path: Path) -> None:
    source = gallery(name)
    bare = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    noisy = bare.replace(";\n", "; /* #pragma omp task for (ii += 64) __builtin_prefetch */\n").replace("    ", "\t ")
    wanted = measured(source, tmp_path)
    assert measured(bare, tmp_path) == wanted
    assert measured(noisy, tmp_path) == wanted


@pytest.mark.parametrize("name", ["packed_256", "packed_512", "cache_512_blocks", "blocked_512_both"])
def test_names_move_nothing(name: str, tmp_path: Path) -> None:
    source = gallery(name)
    words = "tile block pack_a pack_b rest scale min MR NV NR MC KC NC rows depth blocks own shared a_panel b_panel sum"
    renamed = source
    for number, word in enumerate(words.split()):
        renamed = re.sub(rf"\b{word}\b", f"prefetch_omp_packed_{number}", renamed)
    assert renamed != source
    assert measured(renamed, tmp_path)[0] == measured(source, tmp_path)[0]


DEAD = """
static void dead(int m, int n, const double *A, double *B)
{
    static double dead_panel[65536];
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (int ii = 0; ii < m; ii += 64)
        for (int jj = 0; jj < n; jj += 64)
            for (int i = ii; i < ii + 64; i++)
                for (int j = jj; j < jj + 64; j++) {
                    __builtin_prefetch(A + i);
                    dead_panel[j] = A[i];
                    B[i] += dead_panel[j];
                }
}
"""


@pytest.mark.parametrize("name", ["naive", "register_256", "panel_never_read", "packed_scalar", "shares_by_hand"])
def test_dead_functions_and_branches_move_nothing(name: str, tmp_path: Path) -> None:
    source = gallery(name)
    head, body = source.rsplit("\n{\n", 1)
    dead_too = f"{head}\n{{\n    if (0) {{ dead(m, n, A, C); }}\n{body}"
    at = dead_too.index("void dgemm")
    assert measured(dead_too[:at] + DEAD + dead_too[at:], tmp_path)[0] == measured(source, tmp_path)[0]


def test_the_tile_must_be_smaller_than_the_largest_scored_size(tmp_path: Path) -> None:
    source = gallery("cache_scalar")
    assert measured(source, tmp_path)[0].startswith("cache/")
    for line in ("ROWS 64", "COLS (3 * 32)"):
        source = source.replace(line, f"{line.split()[0]} {EXTENT}")
    cell, evidence = measured(source, tmp_path)
    assert cell.startswith("none/")
    assert "no loop of the source steps by a tile of 8 to 511" in evidence["blocking"]


def test_the_evidence_names_the_facts(tmp_path: Path) -> None:
    _, evidence = measured(gallery("packed_256"), tmp_path)
    assert list(evidence) == [*(axis.name for axis in AXES), "hot loop"]
    assert re.match(
        r"12 registers carry sums through the hot loop of \S+; dgemm steps by tiles of", evidence["blocking"]
    )
    assert "packs into" in evidence["blocking"]
    assert re.match(r"96 of 96 operations per iteration are 256 bits wide", evidence["simd"])
    assert re.match(r"shares are dealt while threads run \(GOMP_\w*dynamic", evidence["threading"])
    assert evidence["prefetch"].startswith("prefetcht1 in a loop of ")


def test_a_kernel_that_does_nothing_has_a_cell(tmp_path: Path) -> None:
    cell, evidence = measured(dgemm(""), tmp_path)
    assert cell == "none/scalar/serial/none"
    assert evidence["blocking"] == "no loop does floating-point arithmetic"


@pytest.mark.parametrize("seed", find_problem("jacobi2d").seeds)
def test_seeds_of_another_problem_have_cells(seed: str, tmp_path: Path) -> None:
    cell, _ = measured(find_problem("jacobi2d").seed_source(seed), tmp_path, "jacobi2d")
    threads = {
        "jacobi2d_naive.c": "serial",
        "jacobi2d_omp.c": "static",
        "jacobi2d_simd.c": "serial",
        "jacobi2d_stream.c": "dynamic",
        "jacobi2d_tiled.c": "nested",
    }
    assert threads.get(seed, cell.split("/")[2]) == cell.split("/")[2]
    assert cell.startswith("cache/") or seed not in ("jacobi2d_tiled.c", "jacobi2d_wavefront.c")


@pytest.mark.parametrize("source", ["", "}}}} if (", "void dgemm(int m) { for (;;", "#define", "(" * 5000, "{" * 5000])
def test_damaged_text_has_a_tree(source: str) -> None:
    syntax = parse(source)
    assert list(tile_loops(syntax, syntax.live("dgemm"), EXTENT)) == []


def tiles(body: str, before: str = "") -> list[int]:
    """Sizes of the tile loops of a dgemm body."""
    syntax = parse(dgemm(body, before))
    return [loop.tile for loop in tile_loops(syntax, syntax.live("dgemm"), EXTENT)]


@pytest.mark.parametrize(
    ("before", "step", "expected_tiles"),
    [
        ("", "64", [64]),
        ("#define T 64", "T", [64]),
        ("#define T (1 << 6)", "T * 2", [128]),
        ("enum { T = 96 };", "T", [96]),
        ("static const int T = 3 * 16;", "T", [48]),
        ("", "(int)sizeof(double) * 4", [32]),
        ("#define T 512", "T", []),  # one iteration
        ("#define T 4", "T", []),  # a vector
        ("", "n", []),
        ("", "n / 4", []),
        ("#define T U\n#define U T", "T", []),
    ],
)
def test_what_a_step_is_worth(before: str, step: str, expected_tiles: list[int]) -> None:
    body = f"for (int ii = 0; ii < m; ii += {step}) for (int i = ii; i < ii + 8; i++) C[i] = 0;"
    assert tiles(body, before) == expected_tiles


@pytest.mark.parametrize(
    "body",
    [
        "for (int ii = 0; ii < m; ii = ii + 64) { int e = ii + 64; for (int i = ii; i < e; i++) C[i] = 0; }",
        "for (int ii = 0; ii < m; ii += 64) { int mc = m - ii; mc = mc < 64 ? mc : 64; work(mc, C); }",
        "int ii = 0; while (ii < m) { work(m - ii, C); ii += 64; }",
        "int t = 64; if (m < 64) t = m; for (int ii = 0; ii < m; ii += t) work(m - ii, C);",
        "for (int b = 0; b < m / 64; b++) { int i0 = b * 64; work(m - i0, C); }",
        "for (int b = 0; b < m; b++) { int r = b / n; int i0 = 64 * r; for (int i = i0; i < m; i++) C[i] = 0; }",
        "for (int ii = m; ii > 0; ii -= 64) work(ii, C);",
        "int step; for (int ii = 0; ii < m; ii += step) { step = MIN(64, m - ii); work(ii + step, C); }",
    ],
)
def test_ways_to_write_a_tile_loop(body: str) -> None:
    before = "#define MIN(a, b) ((a) < (b) ? (a) : (b))\n"
    before += "static void work(int end, double *c) { for (int i = 0; i < end; i++) c[i] = 0; }"
    assert tiles(body, before) == [64]


@pytest.mark.parametrize(
    "body",
    [
        "for (int ii = 0; ii < m; ii += 64) C[ii] = 0;",  # no loop inside
        "for (int ii = 0; ii < m; ii += 64) for (int p = 0; p < k; p++) C[p] = 0;",  # it bounds nothing
        "for (int ii = 0; ii < m; ii += 64) for (int p = 0; p < k; p++) C[ii] += A[ii + p];",
        "for (int ii = 0; ii < m; ii += 64) other(k, C + ii);",  # the callee's loop does not depend on it
        "if (0) for (int ii = 0; ii < m; ii += 64) for (int i = ii; i < ii + 64; i++) C[i] = 0;",
        "/* for (int ii = 0; ii < m; ii += 64) for (int i = ii; i < ii + 64; i++) C[i] = 0; */",
    ],
)
def test_what_is_no_tile_loop(body: str) -> None:
    before = "static void other(int k, double *c) { for (int p = 0; p < k; p++) c[p] = 0; }"
    assert tiles(body, before) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("100 / 7 % 4", 2),
        ("-(-8)", 8),
        ("0x40u", 64),
        ("5 / 0", None),
        ("1 << 99", None),
        ("1.5", None),
        ("2 3", None),
        ("unknown < 64 ? unknown : 64", 64),
        ("2 > 1 ? 7 : 9", 7),
        ("least(unknown, 96)", 96),
        ("least(32, 96)", 32),
        ("(" * 3000 + "1" + ")" * 3000, None),
        ("", None),
    ],
)
def test_integer_constants(text: str, value: int | None) -> None:
    assert Constants({}).value(text) == value


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("#if 0\nX\n#endif", False),
        ("#if 1\nX\n#endif", True),
        ("#if 0\n#else\nX\n#endif", True),
        ("#if 1\n#else\nX\n#endif", False),
        ("#if 1\n#elif 1\nX\n#endif", False),
        ("#if 0\n#elif M > 3\nX\n#endif", True),
        ("#ifdef NEVER\nX\n#endif", False),
        ("#ifndef NEVER\nX\n#endif", True),
        ("#ifdef __AVX512F__\nX\n#else\n#endif", True),
        ("#ifdef __AVX512F__\n#else\nX\n#endif", True),
        ("#define SEEN\n#ifdef SEEN\nX\n#endif", True),
        ("#if 0\n#if 1\nX\n#endif\n#endif", False),
        ("#if 0\n#ifdef SEEN\n#else\n#endif\n#else\nX\n#endif", True),
    ],
)
def test_what_the_preprocessor_surely_drops_is_gone(condition: str, kept: bool) -> None:
    loop = "for (int ii = 0; ii < m; ii += 64)\nfor (int i = ii; i < m; i++)\nC[i] = 0;"
    assert tiles("\n" + condition.replace("X", loop)) == ([64] if kept else [])


@pytest.mark.parametrize(
    "body",
    [
        "for (;;)" * 2000 + ";",
        "for (int i = 0; i < m; i += 8) { int a = i; " * 300 + "}" * 300,
        "for (i = 0; i < m; i += 8) { " + "".join(f"a{i} = a{i + 1};" for i in range(900, 0, -1)) + "a901 = i; }",
        "x = " + "(" * 3000 + "1" + ")" * 3000 + ";",
        "if (x)" * 3000 + ";",
        "C" + "[0]" * 3000 + " = 1;",
        "for (i = 0; i < m; i += " + "-" * 9000 + "8) ;",
        "\n#if x" * 3000,
    ],
)
def test_deep_and_long_text_neither_recurses_nor_hangs(body: str, tmp_path: Path) -> None:
    so = read_shared_object(compile_c(gallery("packed_256"), tmp_path))
    describe(dgemm(body), so, disassemble(so), EXTENT, NEST_DEPTH)


FIELD = {
    "behaviour/packs_while_scaling": ("packed/256/serial/near", "packed/256/serial/near"),
    "behaviour/split_inner_loop": ("cache+register/256/serial/near", "cache+register/256/serial/near"),
    "kernels/k01_static_pack_32": ("cache/256/serial/none", "cache/512/serial/none"),
    "kernels/k01_static_pack_64": ("cache/256/serial/none", "cache/512/serial/none"),
    "kernels/p08_spin_barrier_atomics": ("none/256/static/none", "none/512/static/none"),
}


@pytest.mark.parametrize("name", FIELD)
@pytest.mark.parametrize("target", [AVX2, AVX512])
def test_kernels_from_the_field_land_in_their_cells(name: str, target: str, tmp_path: Path) -> None:
    cell, evidence = measured((CASES / f"{name}.c").read_text(), tmp_path, target=target)
    assert cell == FIELD[name][target == AVX512], evidence


COUNTING = {
    "a ticket is only compared": ("int t = __atomic_fetch_add(&n_in, 1, 5) / all; while (n_in / all <= t) ;", "static"),
    "a sense is flipped": ("if (__atomic_add_fetch(&n_in, 1, 5) == all) { n_in = 0; phase++; }", "static"),
    "work is counted": ("__atomic_fetch_add(&n_in, 1, 5);", "static"),
    "rows are drawn": (
        "for (int i; (i = __atomic_fetch_add(&n_in, 1, 5)) < m;) C[(size_t)i * ldc] += B[i];",
        "dynamic",
    ),
    "blocks are drawn": (
        "for (int i; (i = 8 * __atomic_fetch_add(&n_in, 1, 5)) < m;) for (int j = i; j < i + 8; j++) C[j] += B[j];",
        "dynamic",
    ),
}


@pytest.mark.parametrize("name", COUNTING)
def test_only_an_atomic_counter_that_places_the_work_is_dynamic(name: str, tmp_path: Path) -> None:
    body, level = COUNTING[name]
    source = dgemm(
        "#pragma omp parallel\n{ int all = omp_get_num_threads(), me = omp_get_thread_num();\n"
        f"for (int i = me; i < n; i += all) C[i] = beta * C[i];\n{body}\n}}",
        "#include <omp.h>\nstatic volatile int n_in, phase;",
    )
    cell, evidence = measured(source, tmp_path)
    assert cell.split("/")[2] == level, evidence
