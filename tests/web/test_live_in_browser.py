"""``qdkernel watch`` as a user runs it: the page of a real run follows it in a real browser."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from qdkernel.runs import RunFolder
from tests.evolving import command
from tests.forked import Forked, forked
from tests.search.test_loop import wait_for_evaluations
from tests.web.browser import browser, console, needs_browser, requests
from tests.web.runs import CELL, usual_run

pytestmark = [needs_browser, pytest.mark.slow]


@contextlib.contextmanager
def watching(folder: Path) -> Iterator[tuple[str, Forked]]:
    """A server on a free port; its address and process."""
    with forked(["watch", str(folder)]) as process:
        yield process.printed(r"http://\S+")[0], process


def evaluations(driver: Chrome) -> int:
    figures = driver.find_elements(By.CSS_SELECTOR, ".figure")
    found = next(figure for figure in figures if figure.text.startswith("evaluations"))
    return int(found.find_element(By.CSS_SELECTOR, ".value").text.replace(",", ""))


def test_the_page_follows_a_real_run_while_it_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    quick = command("gemm.yaml", run, "budget.minutes=null", "budget.evaluations=100000")
    with forked(quick) as search, browser() as driver:
        wait_for_evaluations(run, 5)
        with watching(tmp_path) as (address, _):
            driver.get(f"{address}run/run/")
            driver.execute_script("window.sameDocument = true")
            first = evaluations(driver)
            WebDriverWait(driver, 240, ignored_exceptions=(Exception,)).until(lambda d: evaluations(d) >= first + 3)
            assert driver.execute_script("return window.sameDocument") is True
            assert driver.find_element(By.CSS_SELECTOR, ".status").text.startswith("running")
            assert console(driver) == []
            hosts = {asked.split("/")[2] for asked in requests(driver) if asked.startswith(("http", "ws"))}
            assert hosts == {address.split("/")[2]}
        search.send_signal(signal.SIGKILL)
    with RunFolder.open(run) as folder:
        assert folder.evaluations.count() >= first + 3


def test_an_elite_of_a_finished_run_is_fetched_when_it_is_opened(tmp_path: Path) -> None:
    run = usual_run(tmp_path)
    with watching(run) as (address, process), browser() as driver:
        driver.get(address)
        assert driver.find_element(By.TAG_NAME, "h1").text == run.name
        driver.find_element(By.CSS_SELECTOR, f"a[data-cell='{'-'.join(map(str, CELL))}']").click()
        WebDriverWait(driver, 20).until(lambda d: d.find_elements(By.CSS_SELECTOR, "dialog[open] .diff-add"))
        assert console(driver) == []
        listening = [c.laddr for c in psutil.Process(process.pid).net_connections("tcp") if c.status == "LISTEN"]
        assert [place.ip for place in listening] == ["127.0.0.1"]
        assert psutil.Process(process.pid).nice() == 19


def test_runs_chosen_in_the_list_are_compared(tmp_path: Path) -> None:
    runs = [usual_run(tmp_path, evaluations) for evaluations in (60, 90)]
    with watching(tmp_path) as (address, _), browser() as driver:
        driver.get(address)
        for box in driver.find_elements(By.NAME, "run"):
            box.click()
        driver.find_element(By.ID, "compare").click()
        WebDriverWait(driver, 20).until(lambda d: "side by side" in d.find_element(By.TAG_NAME, "h1").text)
        text = driver.find_element(By.TAG_NAME, "body").text
        assert all(run.name in text for run in runs)
        assert "at equal cost: 62 evaluations each" in text
        assert console(driver) == []


def test_an_interrupt_ends_the_server(tmp_path: Path) -> None:
    usual_run(tmp_path, 5)
    with watching(tmp_path) as (address, process):
        assert address.startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.finish(20).returncode == 130
