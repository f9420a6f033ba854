"""The package as a whole: what is imported, shipped, documented, and how it is named."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from sigmapose import __version__

WHEEL_LIMIT_MB = 90
LINES_LIMIT = 400
FUNCTION_LINES_LIMIT = 60
MODULES_OF_EVERY_PACKAGE = {"__init__", "__main__"}


def _tracked(repository: Path, *patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=repository, capture_output=True, text=True, check=True
    )
    return [path for name in listed.stdout.split("\0") if name and (path := repository / name).exists()]


def test_packages_import_only_from_the_layers_below(repository: Path) -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([linter, "--no-cache"], cwd=repository, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:]


def test_version_is_the_same_everywhere(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert f"\nversion: {__version__}\n" in (repository / "CITATION.cff").read_text()
    assert f"## {__version__}" in (repository / "CHANGELOG.md").read_text()


def test_modules_stay_readable(repository: Path) -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in _tracked(repository, "*.py")}
    assert {path.name: n for path, n in lengths.items() if n > LINES_LIMIT} == {}


def test_functions_do_one_thing(repository: Path) -> None:
    """No function of the package or of the experiments is longer than a screen."""
    lengths = {
        f"{path.name}:{node.name}": node.end_lineno - node.lineno + 1
        for path in _tracked(repository, "src/**.py", "experiments/**.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None
    }
    assert len(lengths) > 1000
    assert {name: n for name, n in lengths.items() if n > FUNCTION_LINES_LIMIT} == {}


def test_a_name_stands_for_one_thing(repository: Path) -> None:
    """No two classes and no two modules have one name, so that a name alone says what is meant."""
    places: dict[str, list[str]] = {}
    for path in _tracked(repository, "src/**.py", "experiments/**.py"):
        shown = str(path.relative_to(repository))
        if path.stem not in MODULES_OF_EVERY_PACKAGE:
            places.setdefault(f"module {path.stem}", []).append(shown)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(f"class {node.name}", []).append(f"{shown}:{node.lineno}")
    assert len(places) > 500
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_links_of_the_documents_lead_somewhere(repository: Path) -> None:
    broken = [
        f"{page.name}: {target}"
        for page in _tracked(repository, "*.md")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_commands_in_the_readme_exist(repository: Path) -> None:
    from sigmapose.cli.parser import _COMMANDS

    named = set(re.findall(r"sigmapose ([a-z]+)", (repository / "README.md").read_text("utf-8")))
    assert named - {"import"} <= set(_COMMANDS)


@pytest.mark.slow
def test_wheel_holds_weights_and_page_and_is_small(repository: Path, tmp_path: Path) -> None:
    words = ["hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run([sys.executable, "-m", *words], cwd=repository, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size <= WHEEL_LIMIT_MB * 1e6
    names = {name.removeprefix("sigmapose/") for name in zipfile.ZipFile(wheel).namelist()}
    weights = (
        "lite.onnx",
        "full.onnx",
        "heavy.onnx",
        "lift.onnx",
        "detector.onnx",
        "thunder.onnx",
        "calibrator.json",
    )
    assert {f"weights/{name}" for name in weights} <= names
    assert {
        "view/assets/page.html",
        "view/assets/three.module.min.js",
        "cli/parser.py",
        "report/templates/page.html",
    } <= names
    assert any(name.endswith("licenses/NOTICE") for name in names)


@pytest.mark.slow
def test_python_of_the_readme_runs(repository: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text("utf-8"), re.DOTALL)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "(26, 3) (26, 3, 3)" in ran.stdout and "left_knee" not in ran.stderr
