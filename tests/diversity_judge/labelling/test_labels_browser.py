"""The label sheet in a real Chromium: a label typed, undone, kept over a closed page, saved and read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import diversity_judge as dj
from diversity_judge.inputs.responses import Response
from diversity_judge.labelling.sheet import Sheet
from diversity_judge.rubric import MEANINGS
from tests import browser
from tests.diversity_judge.run_folders import group, make_run

pytestmark = pytest.mark.browser

ALERT = "</script><script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sheet, Path]:
    def score(first: Response, second: Response) -> int:
        return 3

    folder = tmp_path_factory.mktemp("sheet")
    groups = [
        group(problem, "s", [{"text": f"{ALERT} {problem} {n}\nsecond line"} for n in range(3)], f"{ALERT} {problem}")
        for problem in ("p1", "p2")
    ]
    run = make_run(folder / "run", groups, score)
    page = folder / "sheet.html"
    return dj.labels_make(run, pairs=4, controls=2, out=page), page


@pytest.fixture
def page(tmp_path: Path, sheet: tuple[Sheet, Path]) -> Iterator[Any]:
    missing = browser.missing_parts()
    if missing and browser.is_required():
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    with browser.running(tmp_path / "profile") as driver:
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
        driver.get("about:blank")
        browser.requests(driver)
        opened(driver, sheet[1])
        yield driver


def opened(driver: Any, path: Path) -> None:
    driver.get(path.as_uri())
    wait(driver, "return document.documentElement.dataset.ready === '1'")


def wait(driver: Any, script: str, *arguments: Any) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 60, poll_frequency=0.05).until(lambda d: d.execute_script(script, *arguments))


def press(driver: Any, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    for key in keys:
        ActionChains(driver, duration=5).send_keys(key).perform()


def sign(driver: Any, name: str) -> None:
    from selenium.webdriver.common.keys import Keys

    driver.find_element("id", "annotator").send_keys(name, Keys.ENTER)


def count(driver: Any) -> str:
    return str(driver.find_element("id", "count").text)


def saved(driver: Any, folder: Path) -> Path:
    """The file that the page saves on `s`."""
    from selenium.webdriver.support.ui import WebDriverWait

    press(driver, "s")
    return WebDriverWait(driver, 60, 0.05).until(lambda _: [*folder.glob("labels-*.csv")])[0]


def test_labels_are_typed_kept_saved_and_read_back(page: Any, sheet: tuple[Sheet, Path], tmp_path: Path) -> None:
    made, path = sheet
    press(page, "3")
    assert "Write your name" in page.find_element("id", "trouble").text, "an answer of nobody is none"
    assert count(page) == "page 1 of 6, 0 answered"
    sign(page, "Ann, the first")
    press(page, "1", "2")
    assert count(page) == "page 3 of 6, 2 answered"
    press(page, "u")
    assert count(page) == "page 2 of 6, 1 answered"
    press(page, "4")
    page.get("about:blank")
    opened(page, path)
    assert count(page) == "page 3 of 6, 2 answered", "closing the page loses nothing"
    press(page, "0", "5", "5")
    page.find_element("css selector", ".score[data-score='3']").click()
    assert count(page) == "page 6 of 6, 6 answered"
    assert page.find_element("id", "done").is_displayed()
    found = dj.labels_read(saved(page, tmp_path), key=path.with_suffix(".key.json"))
    assert [answer.score for answer in found.answers] == [1, 4, 0, 5, 5, 3]
    assert [answer.item for answer in found.answers] == [item.name for item in made.items]
    assert {answer.annotator for answer in found.answers} == {"Ann, the first"}


def test_a_page_shows_its_two_texts_as_text_and_the_scale(page: Any, sheet: tuple[Sheet, Path]) -> None:
    made, path = sheet
    for number, item in enumerate(made.items, start=1):
        for side, place in zip(("left", "right"), item.sides, strict=True):
            shown = page.execute_script("return document.getElementById(arguments[0]).textContent", side)
            assert shown == place.group.responses[place.position].text
        assert f"page {number} of 6" in count(page)
        press(page, "\ue014")  # right arrow
    buttons = [button.text for button in page.find_elements("css selector", ".score")]
    assert [button.split("\n")[0][0] for button in buttons] == list("012345")
    assert all(meaning in button for meaning, button in zip(MEANINGS, buttons, strict=True))
    assert page.title == f"Label sheet {made.name}"
    assert browser.complaints(page) == []
    outside = [url for url in browser.requests(page) if not url.startswith(("data:", "blob:"))]
    assert outside == [path.as_uri()]


def test_the_sheet_fits_a_phone_with_the_texts_below_each_other(page: Any, sheet: tuple[Sheet, Path]) -> None:
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    opened(page, sheet[1])
    left, right = (page.find_element("id", side).rect for side in ("left", "right"))
    assert right["y"] >= left["y"] + left["height"]
    assert page.execute_script("return document.documentElement.scrollWidth") <= 390
