"""The report in a real Chromium: what a reader sees and does, with texts that try to run or to break the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import diversity_judge as dj
from diversity_judge.inputs.responses import Response
from diversity_judge.report import write_report
from tests import browser
from tests.diversity_judge.run_folders import group, make_run

pytestmark = pytest.mark.browser

ALERT = "<script>document.title = 'owned'</script>"
HOSTILE = [
    ALERT,
    "</script><script>document.title = 'owned'</script><!--",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "\x1b]0;owned\x07 \x1b[31mred\x1b[0m \x00 \u202egnorw\u202c {{ 7 * 7 }} {% raw %}",
    "so $x^2 < \\frac{1}{2}$ and \\[\\href{javascript:document.title='owned'}{\\text{</math><script>}}\\]",
    "a" * 100_000,
]
STRANGE = "s <b>&amp;</b> `$x$`"
"""A strategy's name."""
ODD_ID = "p1 \"><script>document.title = 'owned'</script>"
"""A problem's name."""


def score(first: Response, second: Response) -> int | None:
    """Known to the tests: pair (1, 4) has no score, the others differ by order."""
    low, high = sorted([int(first.sample_id), int(second.sample_id)])
    if (low, high) == (1, 4):
        return None
    return (low + 2 * high + (first.sample_id == low)) % 6


def say(first: Response, second: Response) -> tuple[str, str | None]:
    return f"{ALERT} {first.sample_id} before {second.sample_id}", f"thinking {first.sample_id} {second.sample_id}"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    groups = [
        group(problem, strategy, [{"text": text, "correct": n < right} for n, text in enumerate(HOSTILE)], ALERT)
        for problem, right in ((ODD_ID, 5), ("p2", 0))
        for strategy in ("token-normal", STRANGE)
    ]
    run = make_run(folder / "run", groups, score, say=say, orders="both")
    return write_report(dj.compare([run]), folder / "report.html")


@pytest.fixture
def page(chromium: Any, report: Path) -> Any:
    chromium.get("about:blank")
    browser.requests(chromium)
    browser.complaints(chromium)
    chromium.get(report.as_uri())
    wait(chromium, "return document.documentElement.dataset.ready === '1'")
    return chromium


def wait(driver: Any, script: str, *arguments: Any) -> Any:
    """Block until a script gives something true."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 60, poll_frequency=0.05).until(lambda d: d.execute_script(script, *arguments))


def heat_map(driver: Any, number: int = 0) -> Any:
    """A heat map, in view and drawn."""
    place = driver.find_elements("css selector", ".map")[number]
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", place)
    wait(driver, "return arguments[0].querySelector('.field') !== null", place)
    return place


def point_at(driver: Any, place: Any, row: int, column: int) -> Any:
    """Move the mouse onto a cell."""
    from selenium.webdriver import ActionChains

    x, y = driver.execute_script(
        "const field = arguments[0].querySelector('.field').getBoundingClientRect(), n = arguments[3];"
        "const box = arguments[0].getBoundingClientRect(), at = k => (k + 0.5) / n;"
        "return [field.left + at(arguments[2]) * field.width - box.left - box.width / 2,"
        " field.top + at(arguments[1]) * field.height - box.top - box.height / 2]",
        place,
        row,
        column,
        len(HOSTILE),
    )
    actions = ActionChains(driver, duration=20)
    actions.move_to_element_with_offset(place, round(x), round(y)).perform()
    return actions


def click_cell(driver: Any, place: Any, row: int, column: int) -> list[Any]:
    """Click a cell; returns the reader's columns."""
    point_at(driver, place, row, column).click().perform()
    wait(driver, "return document.querySelectorAll('#reader .response').length === 2")
    return list(driver.find_elements("css selector", "#reader section"))


def text_of(driver: Any, place: Any) -> str:
    return str(driver.execute_script("return arguments[0].textContent", place))


def response_text(driver: Any, column: Any) -> str:
    return text_of(driver, column.find_element("css selector", ".text"))


def test_the_page_renders_without_a_complaint(page: Any) -> None:
    heat_map(page)
    assert browser.complaints(page) == []
    assert page.find_elements("css selector", ".charts svg a, .charts svg b, .charts svg script") == []
    assert len(page.find_elements("css selector", "article")) == 2
    assert len(page.find_elements("css selector", ".map")) == 4


def test_nothing_leaves_the_page(page: Any, report: Path) -> None:
    click_cell(page, heat_map(page), 0, 2)
    outside = [url for url in browser.requests(page) if not url.startswith(("data:", "blob:"))]
    assert outside == [report.as_uri()]


def test_no_text_of_a_stranger_runs(page: Any) -> None:
    place = heat_map(page)
    for row, column in ((0, 1), (2, 3), (4, 5)):
        click_cell(page, place, row, column)
        page.find_element("id", "close").click()
    assert page.title.startswith("Process diversity: token-normal")
    assert page.find_elements("css selector", "#reader script, article script, article img, article b") == []


@pytest.mark.parametrize(("row", "column"), [(0, 1), (3, 0), (2, 5)])
def test_a_click_shows_the_right_two_texts(page: Any, row: int, column: int) -> None:
    first, second, _ = click_cell(page, heat_map(page), row, column)
    for column_of_reader, position in ((first, row), (second, column)):
        shown = response_text(page, column_of_reader)
        wanted = HOSTILE[position]
        if position == 3:
            assert "␛[31mred␛[0m ␀ ⟨U+202E⟩gnorw⟨U+202C⟩ {{ 7 * 7 }} {% raw %}" in shown
        else:
            assert shown == wanted


def test_script_texts_stay_text(page: Any) -> None:
    first, second, _ = click_cell(page, heat_map(page), 0, 1)
    assert response_text(page, first) == HOSTILE[0]
    assert response_text(page, second) == HOSTILE[1]
    assert page.find_elements("css selector", "#reader script") == []


def test_the_rationales_of_both_orders_stand_beside_the_texts(page: Any) -> None:
    judge = click_cell(page, heat_map(page), 0, 2)[2]
    shown = text_of(page, judge)
    assert "0 first, 2 second: 5" in shown
    assert "2 first, 0 second: 4" in shown
    assert f"{ALERT} 0 before 2" in shown
    assert f"{ALERT} 2 before 0" in shown
    assert "thinking 0 2" in shown


def test_pointing_shows_the_score(page: Any) -> None:
    place = heat_map(page)
    point_at(page, place, 0, 2)
    wait(page, "return !document.getElementById('tip').hidden")
    tip = text_of(page, page.find_element("id", "tip"))
    assert "responses 0 and 2: similarity 4.5" in tip
    assert "0 first: 5" in tip


def test_a_pair_without_a_score_says_why(page: Any) -> None:
    place = heat_map(page)
    point_at(page, place, 1, 4)
    wait(page, "return document.getElementById('tip').textContent.includes('no score: timeout')")
    judge = click_cell(page, place, 1, 4)[2]
    assert "no score: timeout" in text_of(page, judge)


def test_the_keyboard_opens_a_pair_and_comes_back(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    place = heat_map(page)
    page.execute_script("arguments[0].focus({preventScroll: true})", place)
    place.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert "responses 3 and 2" in text_of(page, page.find_element("id", "tip"))
    place.send_keys(Keys.ENTER)
    wait(page, "return document.querySelectorAll('#reader .response').length === 2")
    assert page.find_element("id", "reader-title").text.endswith("responses 3 and 2")
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait(page, "return !document.getElementById('reader').open")
    assert page.switch_to.active_element == place


def test_mathematics_is_shown_as_mathematics_or_as_tex(page: Any) -> None:
    columns = click_cell(page, heat_map(page), 4, 0)
    text = columns[0].find_element("css selector", ".text")
    assert len(text.find_elements("css selector", "math msup")) == 1
    assert len(text.find_elements("css selector", "math mfrac")) == 1
    assert page.execute_script("return document.querySelectorAll('#reader [href]').length") == 0
    page.find_element("id", "source").click()
    wait(page, "return document.querySelectorAll('#reader math').length === 0")
    assert response_text(page, page.find_elements("css selector", "#reader section")[0]) == HOSTILE[4]
    page.find_element("id", "source").click()


def test_the_cluster_order_keeps_pairs_and_scores_together(page: Any) -> None:
    order = page.execute_script("return JSON.parse(document.getElementById('index').textContent).groups[0].order")
    page.execute_script(
        "const box = document.getElementById('order'); box.value = 'cluster';"
        "box.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    assert sorted(order) == list(range(len(HOSTILE)))
    click_cell(page, heat_map(page), 0, 3)
    title = page.find_element("id", "reader-title").text
    assert title.endswith(f"responses {order[0]} and {order[3]}")


def test_filters_hide_strategies_and_tiers(page: Any) -> None:
    def visible(selector: str) -> int:
        return sum(place.is_displayed() for place in page.find_elements("css selector", selector))

    page.execute_script("document.getElementById('filters').scrollIntoView()")
    assert visible(".map") == 4
    page.find_elements("css selector", "[name=strategy]")[1].click()
    assert visible(".map") == 2
    page.execute_script(
        "const box = document.querySelector('[name=tier]'); box.value = 'Hard';"
        "box.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    assert visible("article") == 1
    assert page.find_element("id", "count").text == "1 of 2 problems"


def test_low_coverage_can_be_singled_out(page: Any) -> None:
    page.execute_script("document.getElementById('filters').scrollIntoView()")
    page.find_element("css selector", "[name=low]").click()
    shown = [place.get_attribute("data-low") for place in page.find_elements("css selector", "article:not([hidden])")]
    assert shown == ["1", "1"]
    assert "coverage 93.3 %" in page.find_element("css selector", "article").text


def test_each_problem_has_a_link_of_its_own(page: Any, report: Path) -> None:
    anchors = [place.get_attribute("id") for place in page.find_elements("css selector", "article")]
    assert len(set(anchors)) == 2
    page.get("about:blank")
    page.get(f"{report.as_uri()}#{anchors[1]}")
    wait(page, "return document.documentElement.dataset.ready === '1'")
    top = page.execute_script("return document.getElementById(arguments[0]).getBoundingClientRect().top", anchors[1])
    assert 0 <= top < 400


def test_both_colour_schemes_are_readable(page: Any) -> None:
    """Contrast of text to background, by the formula of WCAG 2.2, is at least 4.5."""
    for scheme in ("light", "dark"):
        features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
        for name in ("--text", "--muted", "--link"):
            ratio = contrast(colour(page, name), colour(page, "--page"))
            assert ratio >= 4.5, (scheme, name, ratio)
        ink = page.execute_script("return getComputedStyle(document.body).color")
        assert ink == f"rgb({', '.join(map(str, colour(page, '--text')))})"
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def colour(driver: Any, name: str) -> tuple[int, int, int]:
    value = driver.execute_script(
        "return getComputedStyle(document.documentElement).getPropertyValue(arguments[0]).trim()", name
    )
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    def luminance(channels: tuple[int, int, int]) -> float:
        shares = [c / 255 for c in channels]
        red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)
