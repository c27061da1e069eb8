"""The page in a real Chromium: tokens say what their routes are worth, nothing is loaded, nothing of a text is run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from generation.route_report.analysis import write_analysis
from tests import browser
from tests.generation.route_report.planted_table import write_planted
from tests.planted_routes import no_lead

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    missing = browser.missing_parts()
    if missing and browser.is_required():
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    folder = write_planted(tmp_path / "routes", leads=[no_lead, no_lead], n_problems=5, text=HOSTILE)
    write_analysis(folder)
    with browser.running(tmp_path / "profile") as driver:
        driver.get((folder / "counterfactual.html").as_uri())
        browser.requests(driver)
        yield driver


def test_a_token_says_more_when_it_is_pointed_at_or_reached_with_the_keys(page: Any) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    tokens = page.find_elements(By.CSS_SELECTOR, ".text .token")
    assert len(tokens) == 10 * 15
    assert tokens[0].text == HOSTILE
    tip = page.find_element(By.ID, "tip")
    assert not tip.is_displayed()
    ActionChains(page).move_to_element(tokens[0]).perform()
    assert tip.is_displayed()
    for said in ("by the router's route", "median of a second set", "nats", "of the alternatives", "its route"):
        assert said in tip.text
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    assert not tip.is_displayed()
    fragile = page.find_element(By.CSS_SELECTOR, ".text .token.c0")
    page.execute_script("arguments[0].focus()", fragile)
    assert "fragile" in tip.text
    assert browser.complaints(page) == []
    assert [url for url in browser.requests(page) if not url.startswith("data:")] == []


def test_another_layers_routes_can_be_looked_at(page: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    def marks() -> list[str]:
        return [token.get_attribute("class") for token in page.find_elements(By.CSS_SELECTOR, ".text .token")]

    select = Select(page.find_element(By.ID, "view"))
    assert [option.text for option in select.options] == ["layer 0, gumbel, tau 1", "layer 1, gumbel, tau 1"]
    assert select.first_selected_option.text == "layer 1, gumbel, tau 1"
    last = marks()
    select.select_by_index(0)
    assert marks() != last


@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_is_never_wider_than_its_window(page: Any, width: int) -> None:
    page.set_window_size(width, 900)
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
