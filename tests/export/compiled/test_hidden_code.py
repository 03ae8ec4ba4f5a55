"""Kernels with code that is compiled only where the judge does not see it: in an exported library, by another user."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from qdkernel.errors import ConfigError
from tests.export.compiled.made_runs import Elite
from tests.export.compiled.test_beyond import RIGHT, dgemm_run, export
from tests.fake_runs import MACHINE

HIDDEN = f"""{RIGHT}
#ifdef dgemm
int hidden_from_the_judge(void) {{ return 1; }}
#endif
#if defined NDEBUG || defined __clang__ /* as in a release */
int hidden_from_the_judge(void) {{ return 2; }}
#elif __GNUC__ > 1
int shown(void) {{ return 3; }}
#else
int hidden_from_the_judge(void) {{ return 4; }}
#endif
"""
ELITE = Elite(HIDDEN, {160: 1.0}, "none/scalar/serial/none")


def functions(source: Path, *flags: str) -> str:
    """What ``nm`` lists of a C file compiled with flags."""
    object_file = source.with_suffix(".o")
    subprocess.run(["gcc", "-Wall", "-Werror", *flags, "-c", source, "-o", object_file], check=True)
    return subprocess.run(["nm", object_file], capture_output=True, text=True, check=True).stdout


def test_conditions_of_exported_kernels_are_settled_as_they_were_judged(tmp_path: Path) -> None:
    export(dgemm_run(tmp_path, ELITE), "library", tmp_path / "out")
    [source] = (tmp_path / "out" / "kernels").glob("dgemm_sse2_*.c")
    found = functions(source, "-DNDEBUG", "-Ddgemm=qdkernel")
    assert " T shown\n" in found
    assert "hidden" not in found
    assert "#if 0\nint hidden_from_the_judge(void) { return 2; }\n#elif 1\nint shown(void)" in source.read_text()


def test_the_name_of_a_kernel_in_a_library_is_no_macro(tmp_path: Path) -> None:
    export(dgemm_run(tmp_path, ELITE), "library", tmp_path / "out", unchecked=True)
    [source] = (tmp_path / "out" / "kernels").glob("dgemm_sse2_*.c")
    found = functions(source)
    assert "hidden" not in found
    assert f" T qd_{source.stem}\n" in found
    assert " dgemm\n" not in found


@pytest.mark.parametrize("flag", ["-B.", "-specs=evil", "-fplugin=evil", "-DNDEBUG"])
def test_a_strangers_flags_reach_no_build_file(flag: str, tmp_path: Path) -> None:
    run = dgemm_run(tmp_path, ELITE, compiler={**MACHINE["compiler"], "flags": ["-O2", flag]})
    with pytest.raises(ConfigError, match=r"names what would run uncontained: compiler\.flags"):
        export(run, "library", tmp_path / "out", unchecked=True)
    assert not (tmp_path / "out").exists()
