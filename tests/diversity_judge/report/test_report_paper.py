"""Many problems: the page is short, its table leads to each, and paper and screenshots show all that the page shows."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import diversity_judge as dj
from diversity_judge.report import write_report
from tests.diversity_judge.run_folders import group, make_run

pytestmark = pytest.mark.browser

PROBLEMS = [f"problem-{n:02}" for n in range(24)]
STRATEGIES = ("token-normal", "token-high")
VIRIDIS = {1: (65, 68, 135), 2: (42, 120, 142), 3: (34, 168, 132), 4: (122, 209, 81), 5: (253, 231, 37)}
"""Colours of the scores, as matplotlib has them."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 problems of two strategies; their maps have the scores 1 to 5, and problem 0 is solved by all."""
    folder = tmp_path_factory.mktemp("paper")
    right = {problem: 9 if problem == PROBLEMS[0] else number % 4 for number, problem in enumerate(PROBLEMS)}
    groups = [
        group(problem, strategy, [{"text": f"{strategy} {n}", "correct": n < right[problem]} for n in range(5)])
        for problem in PROBLEMS
        for strategy in STRATEGIES
    ]
    run = make_run(folder / "run", groups, lambda a, b: min(5, int(a.sample_id) + int(b.sample_id)))
    return write_report(dj.compare([run]), folder / "report.html")


@pytest.fixture(scope="module")
def wide_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven strategies with long names: tables wider than a sheet, and cards of which few fit on one."""
    folder = tmp_path_factory.mktemp("wide")
    groups = [
        group(problem, f"a-strategy-{number}", [{"text": f"{number} {n}", "correct": n < number} for n in range(5)])
        for problem in PROBLEMS[:6]
        for number in range(7)
    ]
    run = make_run(folder / "run", groups, lambda a, b: min(5, int(a.sample_id) + int(b.sample_id)))
    return write_report(dj.compare([run]), folder / "report.html")


@pytest.fixture
def page(chromium: Any, report: Path) -> Any:
    chromium.get("about:blank")
    chromium.get(report.as_uri())
    assert chromium.execute_script("return document.documentElement.dataset.ready") == "1"
    return chromium


@pytest.fixture
def wide_page(chromium: Any, wide_report: Path) -> Any:
    chromium.get("about:blank")
    chromium.get(wide_report.as_uri())
    assert chromium.execute_script("return document.documentElement.dataset.ready") == "1"
    return chromium


def choose(driver: Any, selector: str, value: str) -> None:
    """Set a field of the page, as a person would."""
    driver.execute_script(
        "const field = document.querySelector(arguments[0]); field.value = arguments[1];"
        "for (const name of ['input', 'change']) field.dispatchEvent(new Event(name, {bubbles: true}))",
        selector,
        value,
    )


def wait(driver: Any, script: str) -> None:
    """Block until a script gives something true."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 60, poll_frequency=0.05).until(lambda d: d.execute_script(script))


def shown(driver: Any, selector: str) -> list[str]:
    """Texts of what is to be seen, without line breaks."""
    return list(
        driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].filter(place => place.getClientRects().length)"
            ".map(place => place.textContent.trim())",
            selector,
        )
    )


def ink(pixels: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    """Pixels of a colour."""
    return int((np.abs(pixels[..., :3].astype(int) - colour).max(axis=-1) <= 3).sum())


def printed(driver: Any) -> list[tuple[str, NDArray[np.uint8], float]]:
    """Each sheet's text, its pixels, and where its rightmost character ends, as a share of its width."""
    import pypdfium2

    answer = driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})
    document = pypdfium2.PdfDocument(base64.b64decode(answer["data"]))
    sheets = []
    for sheet in document:
        text = sheet.get_textpage()
        right = max((text.get_charbox(n)[2] for n in range(text.count_chars())), default=0.0) / sheet.get_width()
        sheets.append((" ".join(text.get_text_range().split()), np.asarray(sheet.render(scale=1).to_pil()), right))
    return sheets


def test_every_heat_map_is_on_paper(page: Any) -> None:
    choose(page, "#view", "all")
    sheets = printed(page)
    titles = [title.split()[0] for title in shown(page, "article h3")]
    assert titles == PROBLEMS
    maps = [sheet for sheet in sheets if ", 5 responses" in sheet[0]]
    assert sum(text.count(", 5 responses") for text, _, _ in maps) == len(PROBLEMS) * len(STRATEGIES)
    for text, pixels, _ in maps:
        n = text.count(", 5 responses")
        for score, colour in VIRIDIS.items():
            assert ink(pixels, colour) > 300 * n, (score, text[:60])


def test_the_page_says_that_only_what_is_shown_is_printed(page: Any) -> None:
    choose(page, "#view", "one")
    (said,) = shown(page, "#prints")
    assert said == "1 of 24 problems shown, and printed"
    text = " ".join(sheet[0] for sheet in printed(page))
    assert said in " ".join(text.split())
    assert text.count(", 5 responses") == len(STRATEGIES)
    choose(page, "#view", "all")
    assert shown(page, "#prints") == [""]


def test_charts_are_on_paper(page: Any) -> None:
    blue, orange = (0, 114, 178), (213, 94, 0)  # Okabe and Ito's, of the first two strategies
    sheets = [pixels for text, pixels, _ in printed(page) if "Solved by one of n responses" in text]
    assert sheets
    for pixels in sheets:
        assert ink(pixels, blue) > 20
        assert ink(pixels, orange) > 20


def test_no_card_is_split_over_two_sheets(wide_page: Any) -> None:
    """Wherever on a sheet the first card begins."""
    cards = wide_page.execute_script(
        "return [...document.querySelectorAll('.card')].map(card => ["
        "card.querySelector('h3').textContent, card.querySelector('figcaption').textContent])"
    )
    assert len(cards) >= 6
    for room in (0, 150, 450):
        wide_page.execute_script(
            "document.querySelector('main > section').style.paddingBottom = `${arguments[0]}px`", room
        )
        sheets = printed(wide_page)
        for title, caption in cards:
            assert [text for text, _, _ in sheets if title in text and caption[-20:].strip() in text], (room, title)


def test_nothing_is_cut_at_the_right_of_a_sheet(wide_page: Any) -> None:
    """A sheet of A4 within its margins is 703 pixels wide."""
    assert all(right < 0.98 for _, _, right in printed(wide_page))
    sheet = {"width": 703, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    wide_page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sheet)
    wide_page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        over = wide_page.execute_script(
            "return [...document.querySelectorAll('table, svg')].filter(place => place.getClientRects().length"
            " && place.getBoundingClientRect().right > 704).map(place => place.outerHTML.slice(0, 80))"
        )
        assert over == []
    finally:
        wide_page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        wide_page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_dark_page_prints_dark_on_white(page: Any) -> None:
    choose(page, "#theme", "dark")
    _, pixels, _ = printed(page)[0]
    assert np.median(pixels[..., :3]) == 255
    choose(page, "#theme", "")


def test_a_full_page_screenshot_has_all_charts_and_maps(page: Any) -> None:
    from PIL import Image

    choose(page, "#view", "all")
    size = page.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 0.5}
    answer = page.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["data"]))))
    boxes = page.execute_script(
        "return [...document.querySelectorAll('.charts svg, .map')].map(place => place.getBoundingClientRect())"
        ".map(box => [box.left + scrollX, box.top + scrollY, box.right + scrollX, box.bottom + scrollY])"
    )
    assert len(boxes) > len(PROBLEMS) * len(STRATEGIES)
    for left, top, right, bottom in boxes:
        part = pixels[int(top / 2) : int(bottom / 2), int(left / 2) : int(right / 2), :3]
        assert (part.min(axis=-1) < 200).sum() > 20


def test_many_problems_make_a_short_page_that_shows_one_of_them(page: Any) -> None:
    assert [text.split()[0] for text in shown(page, "article h3")] == ["problem-00"]
    assert page.execute_script("return document.documentElement.scrollHeight") < 8000
    page.find_element("id", "next").click()
    assert [text.split()[0] for text in shown(page, "article h3")] == ["problem-01"]


def test_a_name_in_the_table_leads_to_its_problem(page: Any) -> None:
    page.find_element("link text", "problem-17").click()
    wait(page, "return !document.getElementById('problem-problem-17').hidden")
    assert [text.split()[0] for text in shown(page, "article h3")] == ["problem-17"]
    top = page.execute_script("return document.querySelector('article:not([hidden])').getBoundingClientRect().top")
    assert 0 <= top < 400


def test_the_table_sorts_by_a_column_both_ways_and_the_problems_follow(page: Any) -> None:
    rate = "#table tbody tr td:nth-of-type(3)"  # after the tier and the diversity
    heading = page.find_elements("css selector", "#table thead tr:last-child button")[3]
    assert heading.text.startswith("pass rate")
    page.execute_script("arguments[0].click()", heading)
    values = [int(text.rstrip(" %")) for text in shown(page, rate)]
    assert values == sorted(values)
    assert values[-1] == 100
    page.execute_script("arguments[0].click()", heading)
    assert [int(text.rstrip(" %")) for text in shown(page, rate)] == values[::-1]
    choose(page, "#view", "all")
    assert shown(page, "article h3")[0].startswith("problem-00")


def test_a_search_leaves_problems_in_the_table_below_it_and_in_the_charts(page: Any) -> None:
    dots = ".card[data-chart=diversity] .dot"
    count = "return [...document.querySelectorAll(arguments[0])].filter(dot => !dot.hasAttribute('hidden')).length"
    assert page.execute_script(count, dots) == len(PROBLEMS) * len(STRATEGIES)
    choose(page, "[name=search]", "Problem-2")
    assert shown(page, "#table tbody a") == ["problem-20", "problem-21", "problem-22", "problem-23"]
    assert page.execute_script(count, dots) == 4 * len(STRATEGIES)
    assert "4 of 24 problems" in shown(page, "#count")
    assert shown(page, "#filtered")


def test_a_strategy_that_is_not_wanted_leaves_tables_charts_and_maps(page: Any) -> None:
    page.execute_script("document.querySelectorAll('[name=strategy]')[1].click()")
    assert not any("token-high" in text for text in shown(page, "th, .panel h4, .maps h4, .panel text"))
    assert len(shown(page, "article:not([hidden]) .map")) == 1


def test_a_tier_leaves_the_charts_of_that_tier_and_of_all(page: Any) -> None:
    choose(page, "[name=tier]", "Hard")
    titles = shown(page, ".card h3")
    assert any("Hard problems" in title for title in titles)
    assert any("all problems" in title for title in titles)
    assert not any("Medium problems" in title or "Correct problems" in title for title in titles)


def test_a_dot_says_its_numbers_and_leads_to_its_problem(page: Any) -> None:
    dot = page.find_element("css selector", ".card[data-chart=diversity] .dot[data-problem='5']")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", dot)
    move = "arguments[0].dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: 300, clientY: 300}))"
    page.execute_script(move, dot)
    assert shown(page, "#tip")[0].startswith("problem-05 / token-normal: 0.")
    page.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", dot)
    assert [text.split()[0] for text in shown(page, "article h3")] == ["problem-05"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_intervals_are_to_be_seen_in_both_schemes(page: Any, scheme: str) -> None:
    choose(page, "#theme", scheme)
    colours = page.execute_script(
        "return ['.whisker', '.mark'].map(name => getComputedStyle(document.querySelector(name)).stroke)"
    )
    assert colours == (["rgb(28, 32, 36)", "rgb(255, 255, 255)"] if scheme == "light" else
                       ["rgb(230, 233, 236)", "rgb(20, 23, 26)"])  # fmt: skip
    choose(page, "#theme", "")


def test_a_phone_shows_titles_and_captions_whole(page: Any) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        over = page.execute_script(
            "return [...document.querySelectorAll('h1, h2, h3, caption > span, figcaption, .note, .card svg')]"
            ".filter(place => place.getClientRects().length && (place.getBoundingClientRect().right > innerWidth + 1"
            " || place.scrollWidth > place.clientWidth + 1)).map(place => place.outerHTML.slice(0, 100))"
        )
        assert over == []
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
