"""The report in a real browser: clean console, elites on a click, the replay, and nothing that hostile text can do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome as WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from qdkernel.runs import elites
from qdkernel.web import RunReader, write_report
from tests.web.browser import browser, console, needs_browser, requests
from tests.web.runs import ATTACKS, CELL, MARK, hostile_run, usual_run

pytestmark = [needs_browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def driver() -> Iterator[WebDriver]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run folder and its report."""
    root = tmp_path_factory.mktemp("runs")
    run = usual_run(root)
    write_report([run], root / "report.html")
    return run, root / "report.html"


def wait(driver: WebDriver) -> WebDriverWait[WebDriver]:
    return WebDriverWait(driver, 20)


def dialog_text(driver: WebDriver, number: int) -> str:
    wait(driver).until(lambda d: d.find_elements(By.CSS_SELECTOR, f"dialog[open][data-record='{number}'] pre.source"))
    return str(driver.execute_script("return document.getElementById('record').textContent"))


def test_a_report_loads_without_a_message_or_a_request(driver: WebDriver, report: tuple[Path, Path]) -> None:
    requests(driver)
    driver.get(report[1].as_uri())
    assert driver.find_element(By.TAG_NAME, "h1").text == report[0].name
    assert console(driver) == []
    assert requests(driver) == [report[1].as_uri()]


def test_a_click_on_a_cell_opens_its_elite(driver: WebDriver, report: tuple[Path, Path]) -> None:
    run = RunReader(report[0]).read()
    elite = elites(run.records)[CELL]
    driver.get(report[1].as_uri())
    driver.find_element(By.CSS_SELECTOR, f"a[data-cell='{'-'.join(map(str, CELL))}']").click()
    text = dialog_text(driver, elite.number)
    for part in ("packed/512/static/near", elite.evaluation.kernel_id, elite.source.strip(), "widen the tile"):
        assert part in text
    for title in ("Timings", "Duel", "Lineage", "Source", "Conversation"):
        assert title in text
    changes = wait(driver).until(lambda d: d.find_elements(By.CSS_SELECTOR, ".diff .diff-add"))
    assert [line.text for line in changes] == ["+     for (size_t i = 0; i < (size_t)n; i++) c[i] = 0.0; /* faster */"]
    assert driver.find_elements(By.CSS_SELECTOR, "pre.source .hl-k")
    assert console(driver) == []


def test_escape_closes_an_elite_and_its_link_opens_it_again(driver: WebDriver, report: tuple[Path, Path]) -> None:
    number = elites(RunReader(report[0]).read().records)[CELL].number
    driver.get(report[1].as_uri())
    cell = driver.find_element(By.CSS_SELECTOR, f"a[data-cell='{'-'.join(map(str, CELL))}']")
    cell.send_keys(Keys.ENTER)
    dialog_text(driver, number)
    driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait(driver).until(lambda d: not d.find_elements(By.CSS_SELECTOR, "dialog[open]"))
    driver.find_element(By.CSS_SELECTOR, f"a[data-cell='{'-'.join(map(str, CELL))}']").send_keys(Keys.ENTER)
    assert "packed/512/static/near" in dialog_text(driver, number)


def test_the_slider_replays_the_log(driver: WebDriver, report: tuple[Path, Path]) -> None:
    run = RunReader(report[0]).read()
    driver.get(report[1].as_uri())
    placed = [record for record in run.records if record.placed]
    for shown in (0, 1, 40, len(placed)):
        driver.execute_script(
            "const s = document.getElementById('moment'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))",
            shown,
        )
        filled = driver.find_elements(By.CSS_SELECTOR, ".archive .cell[class*=' v']")
        held = elites(placed[:shown])
        assert {cell.get_attribute("data-cell") for cell in filled} == {"-".join(map(str, cell)) for cell in held}
    assert f"{len(run.records)} evaluations" in driver.find_element(By.ID, "moment-words").text


def test_the_archive_can_be_colored_by_ratio(driver: WebDriver, report: tuple[Path, Path]) -> None:
    driver.get(report[1].as_uri())
    driver.find_element(By.CSS_SELECTOR, "#color-by input[value='ratio']").send_keys(Keys.SPACE)
    number = driver.find_element(By.CSS_SELECTOR, f"[data-cell='{'-'.join(map(str, CELL))}'] text").text
    assert number == "0.98"


def test_curves_follow_the_chosen_cost(driver: WebDriver, report: tuple[Path, Path]) -> None:
    driver.get(report[1].as_uri())
    for axis in ("tokens", "usd", "evaluations"):
        driver.find_element(By.CSS_SELECTOR, f"#cost-axis input[value='{axis}']").send_keys(Keys.SPACE)
        shown = [pair for pair in driver.find_elements(By.CSS_SELECTOR, "[data-axis]") if pair.is_displayed()]
        assert [pair.get_attribute("data-axis") for pair in shown] == [axis]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_no_page_is_wider_than_its_window(report: tuple[Path, Path], width: int, dark: bool) -> None:
    with browser(width, dark=dark) as driver:
        driver.get(report[1].as_uri())
        wide = driver.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0
        assert console(driver) == []


def test_text_has_the_contrast_that_wcag_asks_for(report: tuple[Path, Path]) -> None:
    for dark in (False, True):
        with browser(dark=dark) as driver:
            driver.get(report[1].as_uri())
            assert json.loads(driver.execute_script(_LOW_CONTRAST)) == []


def test_hostile_text_is_shown_and_does_nothing(driver: WebDriver, tmp_path: Path) -> None:
    run = hostile_run(tmp_path)
    write_report([run], tmp_path / "report.html")
    requests(driver)
    driver.get((tmp_path / "report.html").as_uri())
    for number in range(1, 5):
        driver.execute_script(f"location.hash = '#r{number}'")
        text = dialog_text(driver, number)
        for attack in ATTACKS:
            assert attack in text
    body = driver.find_element(By.TAG_NAME, "body").get_attribute("textContent") or ""
    assert driver.execute_script(f"return window.{MARK} ?? null") is None
    assert not [
        char for char in body if not char.isprintable() and char not in "\n\t\u200b"
    ]  # \u200b: ours, between the parts of a cell
    assert "1337" not in body
    assert console(driver) == []
    assert {address.partition("#")[0] for address in requests(driver)} == {(tmp_path / "report.html").as_uri()}


def test_a_comparison_of_hostile_runs_does_nothing(driver: WebDriver, tmp_path: Path) -> None:
    runs = [hostile_run(tmp_path / name) for name in "abc"]
    write_report(runs, tmp_path / "c.html")
    driver.get((tmp_path / "c.html").as_uri())
    assert driver.execute_script(f"return window.{MARK} ?? null") is None
    assert console(driver) == []


# Texts with less contrast against the first opaque background behind them than 4.5 (3 for large ones), WCAG 2.1, 1.4.3.
_LOW_CONTRAST = """
const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
function behind(node) {
  for (let at = node; at; at = at.parentElement) {
    const color = numbers(getComputedStyle(at).backgroundColor);
    if (color.length < 4 || color[3] === 1) return color;
  }
  return [255, 255, 255];
}
const found = [];
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  const style = getComputedStyle(node);
  if (!own || !node.getClientRects().length || node.closest(".hidden, .archive, .key, script, style")) continue;
  const svg = node instanceof SVGElement;
  const [a, b] = [light(numbers(svg ? style.fill : style.color)), light(behind(node))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) found.push([node.textContent.slice(0, 40), ratio]);
}
return JSON.stringify(found);
"""
