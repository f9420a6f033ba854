"""The report page in a real browser: every figure has its points, numbers equal the JSON, no network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judged_people import FRAMES, LAYOUT, METHODS, judged
from sigmapose.axis_ticks import limits, ticks
from sigmapose.errors import OutputError
from sigmapose.evaluate.results import Results
from sigmapose.report.page import write
from sigmapose.report.scorecard import card_of

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = """--no-sandbox --disable-gpu --disable-background-networking --disable-component-update
--disable-sync --no-first-run""".split()  # noqa: SIM905
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
STATED = 2
"""Of the three methods, those with covariances."""


@pytest.fixture(scope="module")
def results() -> Results:
    return judged()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def opened(browser: Any, path: Path, **how: Any) -> Any:
    tab = browser.new_context(
        **{"viewport": {"width": 1280, "height": 900}, "offline": True} | how
    ).new_page()
    tab.errors, tab.asked = [], []
    tab.on("console", lambda m: tab.errors.append(m.text))
    tab.on("pageerror", lambda e: tab.errors.append(str(e)))
    tab.on("request", lambda r: tab.asked.append(r.url))
    tab.goto(path.as_uri())
    return tab


@pytest.fixture(scope="module")
def path(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write(results, path)
    return path


@pytest.fixture(scope="module")
def page(path: Path, browser: Any) -> Any:
    return opened(browser, path)


@pytest.fixture(scope="module")
def card(page: Any) -> dict[str, Any]:
    """The JSON inside the page."""
    return json.loads(page.locator("#card").text_content())


def cells(page: Any, table: str) -> list[list[str]]:
    return page.evaluate(
        "id => [...document.querySelectorAll(`#${id} tr`)].map(r => [...r.children].map(c => c.textContent))",
        table,
    )


def titled(page: Any, css: str) -> list[tuple[str, float, float]]:
    """Title and middle (SVG units) of every mark."""
    found = page.evaluate(
        """css => [...document.querySelectorAll(css)].map(e => {
        const b = e.getBBox(); return [e.textContent, b.x + b.width / 2, b.y + b.height / 2]; })""",
        css,
    )
    return [tuple(f) for f in found]


@needs_browser
def test_the_page_needs_no_network_and_complains_of_nothing(page: Any, path: Path) -> None:
    assert page.errors == []
    assert [url for url in page.asked if not url.startswith("data:")] == [path.as_uri()]
    assert path.stat().st_size < 2_000_000
    assert page.locator("h1").inner_text() == "walk@1"
    assert page.locator("header > p").inner_text() == "A walking person </script> & friends"
    assert page.locator("ul.notes li").all_inner_texts() == ["One note & more"]


@needs_browser
def test_every_figure_has_all_of_its_points(page: Any, results: Results) -> None:
    def count(css: str) -> int:
        return page.locator(css).count()

    classes, severities = 5, len(results.conditions)
    assert count("#headline svg.chart") == 8
    assert count("#reliability svg.chart") == classes
    assert count("#reliability polyline.line") == classes * STATED
    lengths = "css => [...document.querySelectorAll(css)].map(p => p.points.numberOfItems)"
    assert set(page.evaluate(lengths, "#reliability polyline.line")) == {99}
    assert count("#reliability .chart .dot") == classes * STATED * 4
    assert count("#reliability .band") == classes
    assert count("#pit .bar") == STATED * 20
    assert set(page.evaluate(lengths, "#risk polyline.line")) == {101}
    assert count("#risk polyline.line") == len(METHODS)
    assert count("#severity svg.chart") == 4
    assert count("#severity .chart .dot") == severities * (3 + 2 + 2 + 3)
    assert count("#joints .bar") == len(LAYOUT.joints)
    assert count("#joints .chart .dot") == len(LAYOUT.joints) * 2
    assert count("#groups details[open] table.heat td.low, #groups details[open] table.heat td.high") == 50
    assert count("#groups details[open] table.heat td.worst") == 1
    assert count("#worst article[data-id]") >= 3 and count("#worst image") == count("#worst article")
    assert count("#worst svg.view") == 2 * count("#worst article")


@needs_browser
def test_marks_lie_where_the_numbers_say(page: Any, card: dict[str, Any]) -> None:
    marks = titled(page, "#severity .chart:first-child .dot")
    told = {f"{n}, {s}": (float(sev), card["severities"][sev][n]["mpjpe_mm"])
            for sev, s in (("0", "clean"), ("0.4", "40 %"), ("0.8", "80 %")) for n in METHODS}  # fmt: skip
    at = np.array([told[title.partition(":")[0]] for title, _, _ in marks])
    place = np.array([mark[1:] for mark in marks])
    assert len(marks) == 9
    for axis, up in ((0, 1), (1, -1)):
        slope, start = np.polyfit(at[:, axis], place[:, axis], 1)
        assert slope * up > 0
        np.testing.assert_allclose(place[:, axis], start + slope * at[:, axis], atol=0.6)


@needs_browser
def test_reliability_curves_are_the_observed_shares(page: Any, results: Results) -> None:
    points = page.evaluate(
        """[...document.querySelector('#reliability polyline.line').points].map(p => [p.x, p.y])"""
    )
    x, y = np.array(points).T
    corner = page.evaluate(
        "[...document.querySelector('#reliability polyline.target').points].map(p => [p.x, p.y])"
    )
    (x0, y0), (x1, y1) = corner
    np.testing.assert_allclose((x - x0) / (x1 - x0), np.arange(1, 100) / 100, atol=2e-3)
    expected = results.methods["sigmapose"].scores.reliability["all"]
    np.testing.assert_allclose((y - y0) / (y1 - y0), expected, atol=2e-3)


@needs_browser
def test_tables_and_tiles_say_what_the_json_says(page: Any, card: dict[str, Any], results: Results) -> None:
    assert card == json.loads(card_of(results).to_json())
    head, *rows = cells(page, "metrics")
    assert tuple(head[2:-1]) == METHODS and len(rows) > 40
    seen = 0
    for name, _, *values, _ in rows:
        for method, text in zip(METHODS, values, strict=True):
            if text == "–":
                assert name not in card["methods"][method]
                continue
            value, *span = (float(t) for t in text.replace("[", "").replace("]", "").replace(",", "").split())
            np.testing.assert_allclose(value, card["methods"][method][name], rtol=1e-3, atol=1e-9)
            np.testing.assert_allclose(
                span, card["methods"][method].get(f"{name}_ci", []), rtol=1e-3, atol=1e-9
            )
            seen += 1
    assert seen == sum(not k.endswith("_ci") and k != "fps" for m in card["methods"].values() for k in m)
    _, *joints = cells(page, "joint-numbers")
    assert len(joints) == len(LAYOUT.joints)
    for name, count, error, wrong, *_ in joints:
        told = card["joints"]["sigmapose"][name.replace(" ", "_")]
        assert int(count.replace(",", "")) == told["count"] == 2 * FRAMES
        assert (error, wrong) == (f"{told['error_mm']:.1f}", f"{100 * told['wrong_rate']:.1f}")
    for tile in page.locator(".tile[data-metric]").all():
        name = tile.get_attribute("data-metric")
        factor = 1 if name == "mpjpe_mm" else 100
        shown = float(tile.locator(".big").inner_text().split()[0])
        assert shown == pytest.approx(factor * card["methods"]["sigmapose"][name], abs=0.051)


@needs_browser
def test_honest_and_narrow_error_bars_look_different(page: Any, card: dict[str, Any]) -> None:
    assert 0.86 < card["methods"]["sigmapose"]["coverage_90"] < 0.93
    assert card["methods"]["narrow"]["coverage_90"] < 0.5
    assert page.locator(".tile.right[data-metric=coverage_90]").count() == 1
    last = [m for m in titled(page, "#pit .bar") if m[0].startswith("95 to 100 %")]
    share = [float(title.split(":")[1].split("%")[0]) for title, *_ in last]
    assert share[0] < 8 and share[1] > 35
    assert "not stated by score <only> & more" in page.locator("#reliability .legend").inner_text()


@needs_browser
def test_worst_frames_are_those_of_the_results(page: Any, results: Results) -> None:
    first = page.locator("#worst details[open] article").first
    sample = results.methods["sigmapose"].worst[0]
    assert first.get_attribute("data-id") == sample.id and sample.id.endswith("/0007")
    assert "nobody found" in first.inner_text()
    assert first.locator(".photo .bone.truth").count() == len(LAYOUT.bones)
    assert first.locator(".photo .bone.guess").count() == 0
    drawn = """async e => { const i = new Image(); i.src = e.getAttribute('href'); await i.decode();
        return i.naturalWidth; }"""
    assert first.locator("image").evaluate(drawn) >= 200
    other = page.locator("#worst details[open] article").nth(1)
    assert other.locator(".photo .bone.guess").count() == len(LAYOUT.bones)
    assert other.locator(".view").first.locator("ellipse").count() == len(LAYOUT.joints)


@needs_browser
@pytest.mark.parametrize("width", (360, 390, 768))
def test_it_fits_a_phone(path: Path, browser: Any, width: int) -> None:
    tab = opened(browser, path, viewport={"width": width, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    sizes = tab.evaluate("""[...document.querySelectorAll('main svg.chart text')].map(t => {
        const s = t.ownerSVGElement; return parseFloat(getComputedStyle(t).fontSize)
        * s.getBoundingClientRect().width / s.viewBox.baseVal.width; })""")
    assert min(sizes) > 9.5


@needs_browser
def test_dark_and_print_and_screen_readers(path: Path, browser: Any) -> None:
    light, dark = (opened(browser, path, color_scheme=scheme) for scheme in ("light", "dark"))
    colour = "getComputedStyle(document.body).backgroundColor"
    assert light.evaluate(colour) != dark.evaluate(colour)
    assert light.evaluate(
        "[...document.querySelectorAll('svg.chart')].every(s => s.getAttribute('aria-label'))"
    )
    assert light.evaluate("[...document.querySelectorAll('th')].every(t => t.scope)")
    assert (
        light.evaluate("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size")
        == light.locator("[id]").count()
    )
    assert light.evaluate(
        "[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.hash))"
    )
    assert light.pdf()[:5] == b"%PDF-"
    light.emulate_media(media="print")
    assert not light.locator("nav").is_visible()


@needs_browser
def test_poses_without_error_bars_and_one_clip_make_a_page(tmp_path: Path, browser: Any) -> None:
    write(judged(severities=(0.0,), clips=1, covariance=False), tmp_path / "bare.html")
    tab = opened(browser, tmp_path / "bare.html")
    assert tab.errors == []
    assert tab.locator(".tile").all_inner_texts()[1].endswith("not stated, or too little data")
    assert [
        tab.locator(f"#{name}").count() for name in ("reliability", "pit", "risk", "severity", "groups")
    ] == [0] * 5
    assert tab.locator("#joints .bar").count() == len(LAYOUT.joints)
    assert tab.locator(".whisker").count() == 0


def test_a_place_that_cannot_be_written_is_named(results: Results, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write(results, tmp_path / "none" / "report.html")


@pytest.mark.parametrize("values", ([0.31, 0.9], [1e-4, 3e-4], [1e6, 5.5e6], [-3.0, 2.0], [7.0], [0.0], []))
def test_axes_hold_their_values_with_few_round_ticks(values: list[float]) -> None:
    low, high = limits(values)
    assert all(low <= v <= high for v in values) and low < high
    assert 2 <= len(ticks(low, high)) <= 12
    assert all(low - 1e-9 <= t <= high * (1 + 1e-9) + 1e-12 for t in ticks(low, high))
