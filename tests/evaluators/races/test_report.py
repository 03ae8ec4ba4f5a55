"""ThreadSanitizer's words, as gcc 12 writes them, to two lines of a kernel."""

from __future__ import annotations

from qdkernel.evaluators.races import Access, Race, read_race

REPORT = """==================
WARNING: ThreadSanitizer: data race (pid=41)
  Write of size 8 at 0x7ffd1c by thread T1:
    #0 _mm256_storeu_pd /usr/lib/gcc/x86_64-linux-gnu/12/include/avxintrin.h:880 (instrumented.so+0x11)
    #1 dgemm._omp_fn.0 build/kernel.c:3 (instrumented.so+0x12)
    #2 __kmp_invoke_microtask <null> (libomp.so.5+0x13)

  Previous read of size 8 at 0x7ffd1c by main thread:
    #0 dgemm._omp_fn.0 kernel.c:2 (instrumented.so+0x14)

  Location is stack of main thread.

  Thread T1 (tid=42, running) created by main thread at:
    #0 pthread_create kernel.c:99 (libtsan.so.2+0x15)

SUMMARY: ThreadSanitizer: data race kernel.c:3 in dgemm._omp_fn.0
"""
SOURCE = "int first;\n  x = sum;\n  sum = y;\n"


def test_the_innermost_frame_of_the_kernel_counts() -> None:
    assert read_race(REPORT) == Race(Access(True, 8, 3), Access(False, 8, 2))


def test_a_race_is_told_with_its_two_lines() -> None:
    race = read_race(REPORT)
    assert race is not None
    assert race.describe(SOURCE) == (
        "line 3 writes 8 bytes while another thread, not ordered with it, reads 8 bytes in line 2\n"
        "    2 | x = sum;\n"
        "    3 | sum = y;"
    )


def test_a_place_that_the_sanitizer_has_lost_is_named_as_such() -> None:
    race = read_race(REPORT.replace("    #0 dgemm._omp_fn.0 kernel.c:2 (instrumented.so+0x14)", "    [failed]"))
    assert race is not None
    assert race.describe(SOURCE) == (
        "line 3 writes 8 bytes while another thread, not ordered with it, reads 8 bytes in a place that the sanitizer "
        "has lost\n    3 | sum = y;"
    )


def test_other_words_are_no_race() -> None:
    assert read_race("Archer detected OpenMP application with TSan\nThreadSanitizer: reported 0 warnings\n") is None
