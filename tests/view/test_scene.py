"""The 3D page, used in a real browser: player, views, regions, words on joints, angles, keyboard."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sigmapose.camera import Camera
from sigmapose.errors import OutputError
from sigmapose.io.poses_json import PosesWriter, read_poses
from sigmapose.measurement.series import measure
from sigmapose.pose import Frame
from sigmapose.run.angle_bands import angle_bands
from sigmapose.view.scene import SceneWriter, write_scene
from sigmapose.view.verdicts import WORDS, judge_joints
from walking_person import CAMERA, walking_pose

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = """--no-sandbox --disable-gpu --use-angle=swiftshader --enable-unsafe-swiftshader
--disable-background-networking --disable-component-update --disable-sync --no-first-run""".split()  # noqa: SIM905
PATIENCE_MS = 180_000  # WebGL in software, on a machine that does other things too
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def walk(count: int, people: int = 2) -> list[Frame]:
    return [
        Frame(
            k,
            k / 10,
            tuple(
                walking_pose(0.3 * k + p, track=p, root_mm=(-500.0 + 900 * p, 60, 3400 + 500 * p))
                for p in range(people)
            ),
            "walk.mp4",
        )
        for k in range(count)
    ]


def picture(frame: Frame) -> np.ndarray:
    return np.full((CAMERA.height, CAMERA.width, 3), (40, 90, 40 + frame.index), np.uint8)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Any]:
    """The page of 8 frames, the last one empty, opened from disk without a network."""
    path = tmp_path_factory.mktemp("scene") / "scene.html"
    frames = [*walk(7), Frame(7, 0.7, (), "walk.mp4")]
    write_scene(frames, path, title="walk </script> & more.mp4", picture=picture, measure=angle_bands)
    browser = chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield opened(browser, path)
    browser.close()


def opened(browser: Any, path: Path, width: int = 960, height: int = 700) -> Any:
    """A tab with the page, without a network; `errors` collects what the browser complains of."""
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    tab: Any = context.new_page()
    tab.errors = []
    tab.on("console", lambda m: tab.errors.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda e: tab.errors.append(str(e)))
    tab.set_default_timeout(PATIENCE_MS)
    tab.goto(path.as_uri())
    tab.evaluate("sigmapose.ready")
    return tab


def pixels(page: Any) -> np.ndarray:
    shot: Any = cv2.imdecode(np.frombuffer(page.locator("#stage").screenshot(), np.uint8), cv2.IMREAD_COLOR)
    return shot.astype(int)


@needs_browser
def test_skeletons_and_ellipsoids_are_drawn(page: Any) -> None:
    page.evaluate("sigmapose.setFrame(0)")
    page.evaluate("sigmapose.setView('front')")
    assert page.evaluate("sigmapose.webgl")
    expected = {"people": 2, "joints": 52, "bones": 50, "ellipsoids": 52}
    assert page.evaluate("sigmapose.counts()").items() >= expected.items()
    drawn = pixels(page)
    page.locator("#regions").uncheck()
    bare = pixels(page)
    page.locator("#regions").check()
    assert page.evaluate("sigmapose.counts().ellipsoids") == 52
    covered = (np.abs(drawn - bare).max(axis=2) > 8).mean()
    assert covered > 0.02
    assert np.abs(pixels(page) - drawn).max() <= 8


@needs_browser
def test_joints_stand_where_the_camera_saw_them(page: Any) -> None:
    page.evaluate("sigmapose.setFrame(2)")
    page.evaluate("sigmapose.setView('camera')")
    box = page.locator("#view").bounding_box()
    scale = min(box["width"] / CAMERA.width, box["height"] / CAMERA.height)
    for person, pose in enumerate(walk(3)[2].poses):
        for name in ("left_wrist", "head_top", "right_big_toe"):
            at = page.evaluate(f"sigmapose.onScreen({person}, {name!r})")
            expected = pose.points_px[pose.skeleton.index(name)] - (CAMERA.cx, CAMERA.cy)
            got = (np.array(at[:2]) - (box["width"] / 2, box["height"] / 2)) / scale
            np.testing.assert_allclose(got, expected, atol=1.5)


@needs_browser
def test_the_slider_moves_the_people(page: Any) -> None:
    page.evaluate("sigmapose.setView('front')")
    page.evaluate("sigmapose.setFrame(0)")
    before, ankle = pixels(page), page.evaluate("sigmapose.onScreen(0, 'left_ankle')")
    page.locator("#slider").fill("3")
    assert page.evaluate("sigmapose.frame()") == 3
    assert page.locator("#where").inner_text().startswith("frame 3")
    page.locator("#follow").uncheck()
    page.evaluate("sigmapose.setView('front')")
    before, ankle = pixels(page), page.evaluate("sigmapose.onScreen(0, 'left_ankle')")
    page.locator("#slider").fill("6")
    moved = np.subtract(page.evaluate("sigmapose.onScreen(0, 'left_ankle')"), ankle)[:2]
    assert np.abs(moved).max() > 10
    assert (np.abs(pixels(page) - before).max(axis=2) > 8).mean() > 0.01
    page.locator("#follow").check()
    page.locator("#view").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("sigmapose.frame()") == 5
    page.keyboard.press("End")
    assert "Nobody was found" in page.locator("#notice").inner_text()
    nothing = {"people": 0, "joints": 0, "bones": 0, "ellipsoids": 0}
    assert page.evaluate("sigmapose.counts()").items() >= nothing.items()
    page.keyboard.press("Home")
    assert page.evaluate("sigmapose.frame()") == 0 and not page.locator("#notice").is_visible()


@needs_browser
def test_pointing_at_a_joint_tells_in_words_what_to_make_of_it(page: Any) -> None:
    page.evaluate("sigmapose.setFrame(1)")
    page.evaluate("sigmapose.setView('front')")
    box = page.locator("#view").bounding_box()
    x, y, _ = page.evaluate("sigmapose.onScreen(1, 'right_wrist')")
    page.mouse.move(box["x"] + x + 1, box["y"] + y + 1)
    text = page.locator("#tip").inner_text()
    pose = walk(2)[1].poses[1]
    k = pose.skeleton.index("right_wrist")
    judged = judge_joints(pose)
    assert text.startswith(f"right wrist, person 1: {WORDS[judged.verdict[k]]}")
    assert f"within {judged.reach_mm[k] / 10:.0f} cm" in text
    assert all(reason in text for reason in judged.reasons(k)) and judged.reasons(k)
    page.mouse.move(box["x"] + 3, box["y"] + box["height"] - 3)
    assert not page.locator("#tip").is_visible()


@needs_browser
def test_everybody_is_counted_as_python_counts_them(page: Any) -> None:
    page.evaluate("sigmapose.setFrame(3)")
    told = page.locator("#now").inner_text()
    for person, pose in enumerate(walk(4)[3].poses):
        judged = judge_joints(pose)
        assert page.evaluate(f"sigmapose.verdicts({person})") == list(judged.counts())
        assert f"{judged.counts()[0]} {WORDS[0]}" in told and f"person {person}" in told
    hidden = sum(int((judge_joints(p).hidden > 0).sum()) for p in walk(4)[3].poses)
    mirrored = sum(int(judge_joints(p).mirrored.sum()) for p in walk(4)[3].poses)
    marks = page.evaluate("sigmapose.counts()")
    assert (marks["hidden"], marks["mirrored"]) == (hidden, mirrored) and hidden
    assert "right elbow" in told and "hidden by" in told


@needs_browser
def test_angles_are_those_of_measure_and_a_click_goes_there(page: Any) -> None:
    page.evaluate("sigmapose.setFrame(2)")
    page.locator("#who").select_option("1")
    page.evaluate("sigmapose.setFrame(2)")
    lane = page.locator(".lane").first
    series = measure(walk(7), "left_knee_flexion").of("left_knee_flexion", 1)
    shown = [int(n) for n in re.findall(r"-?\d+", lane.locator("output").inner_text())]
    expected = (series.value[2], series.low[2], series.high[2])
    np.testing.assert_allclose(shown, expected, atol=3)
    assert abs(shown[0] - expected[0]) <= 0.56  # tenths of a degree, then whole ones
    canvas = lane.locator("canvas").bounding_box()
    lane.locator("canvas").click(position={"x": canvas["width"] - 6, "y": 20})
    assert page.evaluate("sigmapose.frame()") == 7
    page.get_by_role("button", name="Ankle").click()
    assert page.locator(".lane").count() == 8
    page.get_by_role("button", name="Ankle").click()


@needs_browser
def test_views_levels_and_playing(page: Any) -> None:
    page.evaluate("sigmapose.setFrame(0)")
    seen = {}
    for name in ("Front", "Side", "Top", "Camera", "All"):
        page.locator(f"[data-view={name.lower()}]").click()
        seen[name] = tuple(np.round(page.evaluate("sigmapose.onScreen(0, 'left_ankle')"), 1))
    assert len(set(seen.values())) == 5
    page.locator("[data-view=front]").click()
    small = pixels(page)
    page.locator("#level").select_option("95")
    assert (np.abs(pixels(page) - small).max(axis=2) > 4).mean() > 0.003
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("sigmapose.frame() >= 2")
    page.get_by_role("button", name="Pause").click()


@needs_browser
def test_the_page_explains_itself_without_errors(page: Any) -> None:
    assert page.locator("h1").inner_text() == "walk </script> & more.mp4"
    facts = page.locator("#facts").inner_text()
    assert "8 frames" in facts and "2 people" in facts
    assert "not checked against true poses" in page.locator("#about").inner_text()
    key = page.locator("#key").inner_text()
    assert all(
        word in key for word in ("trust", "check", "ignore", "hidden", "mirrored", "9 times out of 10")
    )
    assert page.evaluate("document.getElementById('photo').naturalWidth") == 640
    assert page.errors == []


@needs_browser
def test_without_webgl_the_page_says_so(tmp_path: Path, chromium: Any) -> None:
    write_scene(walk(2, people=1), tmp_path / "scene.html")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-3d-apis"]
    browser = chromium.launch(executable_path=CHROMIUM, args=flags)
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto((tmp_path / "scene.html").as_uri())
    page.evaluate("sigmapose.ready")
    assert "This browser has no WebGL" in page.locator("#notice").inner_text()
    page.locator("#slider").fill("1")
    assert page.locator("#where").inner_text().startswith("frame 1")
    browser.close()


def test_scenes_come_from_poses_json_too(tmp_path: Path) -> None:
    with PosesWriter(tmp_path / "poses.json") as writer:
        for frame in walk(3):
            writer.write(frame)
    write_scene(read_poses(tmp_path / "poses.json"), tmp_path / "scene.html", title="again")
    page = (tmp_path / "scene.html").read_text()
    assert "<title>again · sigmapose</title>" in page and "{{" not in page.split("<script")[0]
    assert not [line for line in page.split("\n") if 'src="http' in line or "@import" in line]


def test_extreme_poses_make_a_page(tmp_path: Path) -> None:
    pose = walking_pose()
    broken = replace(pose, joints_mm=np.full((26, 3), np.nan), cov_mm2=np.full((26, 3, 3), np.nan))
    lost = replace(pose, root_mm=np.full(3, np.nan), cov_mm2=pose.cov_mm2 * 1e8)
    frames = [Frame(0, 0.0, (broken, lost), "a.jpg"), Frame(0, 0.0, (), "b.jpg")]
    write_scene(frames, tmp_path / "scene.html")
    write_scene([], tmp_path / "empty.html")
    with SceneWriter(tmp_path / "folder.html") as writer:
        writer.add(Frame(0, 0.0, (), "c.jpg"), np.zeros((1, 1, 3), np.uint8), Camera.default(1, 1))
    assert all((tmp_path / f"{name}.html").stat().st_size > 900_000 for name in ("scene", "empty", "folder"))


def test_an_interrupted_run_gets_its_page_and_unwritable_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), SceneWriter(tmp_path / "scene.html") as writer:
        writer.add(walk(1)[0])
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["scene.html"]
    with pytest.raises(OutputError, match="no such folder"):
        SceneWriter(tmp_path / "none" / "scene.html")
