"""The live server without a browser: what it answers, to whom, and when it reads."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from qdkernel.core import Fault, Outcome
from qdkernel.errors import RunFolderError
from qdkernel.machine import CoreLock
from qdkernel.runs import RunFolder
from qdkernel.web import RunReader, run_view
from qdkernel.web.live import LiveRun, make_app
from tests.fake_runs import add_elite, breed, new_run
from tests.web.runs import ATTACKS, CELL, hostile_run, usual_run

TOKEN = "the-token"


def client(folder: Path, base: str = "http://127.0.0.1") -> TestClient:
    return TestClient(make_app(folder, TOKEN), base_url=base)


def test_without_the_token_nothing_is_answered(tmp_path: Path) -> None:
    run = usual_run(tmp_path, 5)
    for address in ("/", "/wrong/", f"/run/{run.name}/", f"/wrong/run/{run.name}/view.json", "/the-toke/"):
        assert client(tmp_path).get(address).status_code == 404
    assert client(tmp_path).get(f"/{TOKEN}/run/{run.name}/view.json").status_code == 200


def test_another_host_name_is_refused(tmp_path: Path) -> None:
    usual_run(tmp_path, 5)
    assert client(tmp_path, "http://rebound.example").get(f"/{TOKEN}/").status_code == 400


def test_every_answer_has_a_strict_policy(tmp_path: Path) -> None:
    run = usual_run(tmp_path, 5)
    for address in ("", f"run/{run.name}/", f"run/{run.name}/record/1", f"run/{run.name}/record/99", "run/none/"):
        headers = client(tmp_path).get(f"/{TOKEN}/{address}").headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_only_runs_of_the_folder_are_served(tmp_path: Path) -> None:
    usual_run(tmp_path / "inside", 5)
    outside = usual_run(tmp_path / "outside", 5)
    found = client(tmp_path / "inside")
    for name in (outside.name, f"..%2Foutside%2F{outside.name}", "%2e%2e", "..%2f..%2fetc"):
        assert found.get(f"/{TOKEN}/run/{name}/view.json").status_code == 404


def test_nothing_can_be_written(tmp_path: Path) -> None:
    run = usual_run(tmp_path, 5)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client(tmp_path).request(method, f"/{TOKEN}/run/{run.name}/").status_code == 405
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_the_list_shows_best_cells_and_status_and_names_damaged_folders(tmp_path: Path) -> None:
    run = usual_run(tmp_path, 30)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "run.db").write_bytes(b"no database at all, but long enough to be looked at" * 9)
    page = client(tmp_path).get(f"/{TOKEN}/").text
    view = run_view(RunReader(run).read())
    for part in (run.name, f"{len(view.ranked)} of 320", f"{view.ranked[0].gflops:.1f}", "running"):
        assert part in page
    assert "damaged" in page
    assert "another kind of file" in page


def test_one_run_is_served_at_once(tmp_path: Path) -> None:
    run = usual_run(tmp_path, 5)
    answer = client(run).get(f"/{TOKEN}/")
    assert answer.url.path == f"/{TOKEN}/run/{run.name}/"
    assert "all runs" not in answer.text


def test_a_folder_without_runs_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="holds no run; give a folder made by `qdkernel evolve`"):
        make_app(tmp_path, TOKEN)


def test_the_view_is_that_of_the_report(tmp_path: Path) -> None:
    run = usual_run(tmp_path)
    served = client(tmp_path).get(f"/{TOKEN}/run/{run.name}/view.json").json()
    assert served == json.loads(json.dumps(run_view(RunReader(run).read()).to_json()))


def test_hostile_text_is_escaped_in_every_answer(tmp_path: Path) -> None:
    run = hostile_run(tmp_path)
    found = client(tmp_path)
    for address in (f"run/{run.name}/", "", f"compare?run={run.name}&run={hostile_run(tmp_path).name}"):
        page = found.get(f"/{TOKEN}/{address}").text
        for attack in ATTACKS:
            if attack.startswith(("<", "</", '">', "'", "]]")):
                assert attack not in page
    body = found.get(f"/{TOKEN}/run/{run.name}/update").json()["body"]
    assert "<script" not in body
    assert "&lt;script&gt;" in body


def test_a_grown_run_is_read_on_and_not_sooner_than_its_pause_allows(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 20)
        live = LiveRun(folder.path, lock=CoreLock(tmp_path))
        assert live.snapshot().view.evaluations == 20
        add_elite(folder, CELL, 91.0)
        assert live.wait_s() > 0
        assert live.snapshot().view.evaluations == 20
        live._next_at = 0.0
        assert live.snapshot().view.evaluations == 21


def test_nothing_is_read_while_a_kernel_is_timed(tmp_path: Path) -> None:
    run = usual_run(tmp_path, 20)
    lock, live, views = CoreLock(tmp_path), LiveRun(run, lock=CoreLock(tmp_path)), []
    reader = threading.Thread(target=lambda: views.append(live.snapshot().view))
    with lock.exclusive():
        reader.start()
        time.sleep(0.3)
        assert views == []
    reader.join(20)
    assert views[0].evaluations == 22


def test_a_retraction_is_seen_although_the_record_is_an_old_one(tmp_path: Path) -> None:
    run = usual_run(tmp_path, 20)
    reader = RunReader(run)
    reader._whole_took = 1e9  # never due by time
    assert run_view(reader.read()).ranked[0].cell == CELL
    with RunFolder.open(run, writable=True) as folder:
        best = run_view(reader.read()).ranked[0]
        kernel_id = next(r.evaluation.kernel_id for r in folder.evaluations.records() if r.number == best.number)
        folder.evaluations.retract(kernel_id, Fault(Outcome.WRONG, "later"))
    after = run_view(reader.read())
    assert next(cell for cell in after.cells if cell.cell == CELL).gflops == pytest.approx(85.4, abs=0.1)
