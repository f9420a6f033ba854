"""How fast the page of a long film opens, and what it weighs: the frames of a real clip, repeated.

The poses are a real run's; their times go on from round to round. Angles are measured once and repeated. The
page is opened from disk in headless Chromium, which draws 3D in software. Repeated frames deflate far better
than real ones: the size of the files says nothing of a real hour.
"""

from __future__ import annotations

import resource
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from sigmapose.errors import InputError
from sigmapose.io.poses_json import read_poses
from sigmapose.pose import Frame
from sigmapose.run.angle_bands import angle_bands
from sigmapose.view.angle_band import AngleBand
from sigmapose.view.scene import SceneWriter

FLAGS = (
    "--no-sandbox --disable-gpu --use-angle=swiftshader --enable-unsafe-swiftshader "
    "--disable-background-networking --disable-component-update --disable-sync --no-first-run"
)


_EXACT = """new Promise((done) => {
    const timer = setInterval(() => sigmapose.exact() && (clearInterval(timer), done()), 4);
})"""
_PLAYED = """new Promise((done) => {
    const first = sigmapose.frame();
    let drawn = 0, last = first;
    const count = () => {
        if (sigmapose.frame() !== last) { drawn++; last = sigmapose.frame(); }
        requestAnimationFrame(count);
    };
    sigmapose.play(true);
    requestAnimationFrame(count);
    setTimeout(() => { sigmapose.play(false); done([sigmapose.frame() - first, drawn]); }, 3000);
})"""


@dataclass(frozen=True)
class PageOpening:
    """Write the page of a long film and time how it opens."""

    poses: Annotated[Path, tyro.conf.Positional]
    """poses.json of a clip, or its folder."""
    out: Path
    """Folder for the page; created if missing."""
    frames: int = 108_000
    """Length of the film: an hour at 30 frames a second."""
    fps: float = 30.0
    opens: int = 5
    """How often the page is opened."""


def measure_opening(options: PageOpening) -> None:
    """Print the size of the page, the memory of its writer, and the times of the browser.

    Raises:
        InputError: no frames, or no Chromium on this machine.
    """
    clip = list(read_poses(options.poses))
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not clip or chromium is None:
        raise InputError(f"{options.poses}: needs a clip with frames, and chromium on this machine")
    options.out.mkdir(parents=True, exist_ok=True)
    page = options.out / "scene.html"
    _write(page, clip, options)
    beside = [file.stat().st_size for file in (options.out / "scene_data").glob("*.js")]
    _tell(
        f"page {page.stat().st_size / 1e6:.1f} MB; {len(beside)} files beside it, {sum(beside) / 1e6:.1f} MB"
    )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        for _ in range(options.opens):
            _tell(_opened(browser, page, options.frames))
        browser.close()


def _write(page: Path, clip: list[Frame], options: PageOpening) -> None:
    bands = angle_bands(clip)

    def repeated(frames: Sequence[Frame]) -> Sequence[AngleBand]:
        at = [frame.index % len(clip) for frame in frames]
        return [
            replace(
                band, value_deg=band.value_deg[at], low_deg=band.low_deg[at],
                high_deg=band.high_deg[at], valid=band.valid[at],
            )
            for band in bands
        ]  # fmt: skip

    began = time.process_time()
    with SceneWriter(page, title=f"{options.frames} frames", measure=repeated) as writer:
        for frame in _film(clip, options):
            writer.add(frame)
            if (frame.index + 1) % (options.frames // 4) == 0:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                _tell(f"{frame.index + 1} frames written, most memory so far {peak:.0f} MB")
    _tell(f"written in {time.process_time() - began:.0f} s of processor time")


def _film(clip: list[Frame], options: PageOpening) -> Iterator[Frame]:
    for k in range(options.frames):
        yield replace(clip[k % len(clip)], index=k, time_s=k / options.fps)


def _opened(browser: Any, page: Path, frames: int) -> str:
    tab = browser.new_context(viewport={"width": 1280, "height": 800}, offline=True).new_page()
    tab.set_default_timeout(300_000)
    tab.goto(page.resolve().as_uri(), wait_until="commit")
    tab.wait_for_function("window.sigmapose")
    shown = tab.evaluate("sigmapose.ready")
    tab.evaluate(_EXACT)
    exact = tab.evaluate("performance.now()")
    began = tab.evaluate(f"sigmapose.setFrame({frames // 2 + 7}), performance.now()")
    tab.evaluate(_EXACT)
    jump = tab.evaluate("performance.now()") - began
    played = tab.evaluate(_PLAYED)
    tab.context.close()
    return (
        f"first frame after {shown:.0f} ms, its block at hand after {exact:.0f} ms, a jump to the middle "
        f"{jump:.0f} ms; in 3 s of playing {played[0]} frames passed, {played[1]} were drawn"
    )


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
