"""The report as a file: self-contained, escaped, small, written whole or not at all."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

from qdkernel.core import cell_name
from qdkernel.errors import RunFolderError
from qdkernel.web import RunReader, report_html, write_report
from qdkernel.web.page import report
from qdkernel.web.pictures.color_scale import VIRIDIS
from qdkernel.web.view import run_view
from tests.web.runs import CELL, hostile_run, usual_run


def details(html: str) -> dict[str, dict[str, object]]:
    found = re.search(r'id="details">([^<]*)<', html)
    assert found is not None
    packed: dict[str, dict[str, object]] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return packed


def test_the_command_writes_the_report_into_the_run(tmp_path: Path) -> None:
    run = usual_run(tmp_path, 20)
    done = subprocess.run([sys.executable, "-m", "qdkernel", "report", str(run)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{run / 'report.html'}\n", "")
    assert (run / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_nothing_in_a_report_is_fetched(tmp_path: Path) -> None:
    html = report_html([usual_run(tmp_path)])
    assert not re.search(r"""(?:src|href|action|data)\s*=\s*["']?(?!#)[^"'#\s]*//""", html)
    assert "@import" not in html
    assert "default-src &#39;none&#39;" in html
    assert not re.search(r"<[^>]+\son\w+\s*=", html)
    assert not re.search(r"<[^>]+\sstyle\s*=", html)


def test_elites_and_their_ancestors_are_in_the_file(tmp_path: Path) -> None:
    run = usual_run(tmp_path)
    view = run_view(RunReader(run).read())
    found = details(report_html([run]))
    for cell in view.ranked:
        assert found[str(cell.number)]["cell"] == cell_name(cell.cell)
    best = found[str(view.ranked[0].number)]
    assert str(best["parent"]) in found
    assert [row["number"] for row in best["lineage"]] == [view.ranked[0].number, best["parent"]]  # type: ignore[attr-defined]
    assert best["lineage"][0]["gain"] == pytest.approx(95 / 90)  # type: ignore[index]


def test_what_does_not_fit_is_left_out_fastest_elites_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = usual_run(tmp_path)
    monkeypatch.setattr(report, "_PACKED_LIMIT", 6000)
    view = run_view(RunReader(run).read())
    kept = list(details(report_html([run])))
    assert 0 < len(kept) < len(view.ranked)
    assert kept == [str(cell.number) for cell in view.ranked[: len(kept)]]


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run = usual_run(tmp_path, 30)
    assert report_html([run]) == report_html([run])


def test_hostile_text_does_not_leave_its_place_in_the_file(tmp_path: Path) -> None:
    html = report_html([hostile_run(tmp_path)])
    assert len(re.findall(r"<script", html)) == 3
    assert len(re.findall(r"</script>", html)) == 3
    assert not [char for char in html if not char.isprintable() and char not in "\n\t\u200b"]
    assert "http://evil" not in html.replace("&#39;0;url=http://evil", "")


def test_a_message_of_a_compiler_is_cut(tmp_path: Path) -> None:
    assert "x" * 5000 not in report_html([hostile_run(tmp_path)])


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    run = usual_run(tmp_path, 5)
    with pytest.raises(RunFolderError, match="the report cannot be written there"):
        write_report([run], tmp_path / "missing" / "report.html")


def test_the_colors_are_those_of_the_pngs() -> None:
    places = (np.arange(len(VIRIDIS)) + 0.5) / len(VIRIDIS)
    assert [to_hex(color) for color in matplotlib.colormaps["viridis"](places)] == list(VIRIDIS)


def test_a_cell_of_the_archive_leads_to_its_elite(tmp_path: Path) -> None:
    run = usual_run(tmp_path)
    number = run_view(RunReader(run).read()).ranked[0].number
    link = re.search(rf'<a[^>]*data-cell="{"-".join(map(str, CELL))}"[^>]*>', report_html([run]))
    assert link is not None
    assert f'href="#r{number}"' in link[0]
