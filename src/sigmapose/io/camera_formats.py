"""The kinds of camera files: JSON, YAML, TOML, XML and COLMAP's text, each as mappings of cameras by name."""

from __future__ import annotations

import json
import tomllib
import xml.etree.ElementTree as ElementTree
from typing import Any

from sigmapose.io.camera_keys import describes_lens_or_size, looks_like_camera
from sigmapose.io.plain_yaml import parse_yaml

MAX_CAMERAS = 1000
MAX_NESTED = 4

# COLMAP src/colmap/sensor/models.h: names of the parameters by model.
_COLMAP = {
    "SIMPLE_PINHOLE": "f cx cy",
    "PINHOLE": "fx fy cx cy",
    "SIMPLE_RADIAL": "f cx cy k1",
    "RADIAL": "f cx cy k1 k2",
    "OPENCV": "fx fy cx cy k1 k2 p1 p2",
    "FULL_OPENCV": "fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6",
}
_QUALISYS_SUBPIXELS = 64.0


def cameras_in(text: str, suffix: str) -> dict[str, dict[str, Any]]:
    """Mappings that look like cameras, by name; the kind is told by the content, and by the suffix where
    that says nothing.

    Raises:
        ValueError: the text is of no known kind, or damaged.
    """
    start = text.lstrip()
    if start.startswith("<"):
        return _xml(text)
    if suffix == ".toml":
        return _found_in(tomllib.loads(text))
    if start.startswith(("{", "[")) and suffix not in (".yaml", ".yml"):
        try:
            return _found_in(json.loads(text))
        except json.JSONDecodeError:
            if suffix == ".json":
                raise
            return _found_in(tomllib.loads(text))
    if suffix == ".json":
        return _found_in(json.loads(text))
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    words = first.split()
    if len(words) > 4 and words[0].isdigit() and words[1].replace("_", "").isupper():
        return _colmap(text)
    return _found_in(parse_yaml(text))


def _found_in(document: Any) -> dict[str, dict[str, Any]]:
    """The document itself, if it is a camera, else the cameras inside of it."""
    whole: Any = document
    if isinstance(document, list) and document and not isinstance(document[0], dict):
        whole = {"K": document}
    if isinstance(whole, dict) and looks_like_camera(whole):
        return {"": whole}
    found: dict[str, dict[str, Any]] = {}
    _search(document, "", found, 0)
    return found


def _search(value: Any, key: str, found: dict[str, dict[str, Any]], depth: int) -> None:
    if looks_like_camera(value):
        name = value.get("name", value.get("camera_name", key))
        found[str(name) if isinstance(name, str | int) and str(name) not in found else key] = value
        if len(found) > MAX_CAMERAS:
            raise ValueError(f"holds more than {MAX_CAMERAS} cameras")
    elif depth < MAX_NESTED and isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        shared = _shared(value) if isinstance(value, dict) else {}
        for name, item in inner:
            if isinstance(item, dict):
                _search({**shared, **item}, str(name), found, depth + 1)  # a size that all cameras share
            elif isinstance(item, list):
                _search(item, str(name), found, depth + 1)


def _shared(table: dict[str, Any]) -> dict[str, Any]:
    """What counts for all cameras that it stands beside: plain values, and a lens or a size as a table."""
    return {
        key: value
        for key, value in table.items()
        if not _holds_tables(value) or (describes_lens_or_size(key) and not looks_like_camera(value))
    }


def _holds_tables(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, dict) for v in value))


def _colmap(text: str) -> dict[str, dict[str, Any]]:
    """CAMERA_ID MODEL WIDTH HEIGHT PARAMS; COLMAP's pixel (0.5, 0.5) is the centre of the top-left one."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) < 5:
            raise ValueError(f"this line is no camera of COLMAP: {line[:60]!r}")
        if words[1] not in _COLMAP:
            raise ValueError(f"has COLMAP's model {words[1][:40]!r}; known are {', '.join(_COLMAP)}")
        names = _COLMAP[words[1]].split()
        if len(words) != 4 + len(names):
            raise ValueError(f"{words[1]} takes {len(names)} parameters, got {len(words) - 4}")
        told: dict[str, Any] = dict(zip(names, map(float, words[4:]), strict=True))
        if "f" in told:
            told["fx"] = told["fy"] = told.pop("f")
        told["cx"], told["cy"] = told["cx"] - 0.5, told["cy"] - 0.5
        found[words[0]] = {**told, "width": float(words[2]), "height": float(words[3])}
    return found


def _xml(text: str) -> dict[str, dict[str, Any]]:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("is XML with a document type, which is not read")
    root = ElementTree.fromstring(text)
    if root.tag == "opencv_storage":
        return _found_in({child.tag: _opencv_value(child) for child in root})
    cameras = [_qualisys(element) for element in root.iter("camera") if element.find("intrinsic") is not None]
    if not cameras:
        raise ValueError("is XML, but neither of OpenCV nor of Qualisys")
    return dict(cameras)


def _opencv_value(element: ElementTree.Element, depth: int = 0) -> Any:
    data = element.find("data")
    text = (data if data is not None else element).text or ""
    if data is not None or element.get("type_id") == "opencv-matrix":
        return {"data": [float(word) for word in text.split()]}
    if len(element) and depth < MAX_NESTED:
        return {child.tag: _opencv_value(child, depth + 1) for child in element}
    words = text.split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return text.strip().strip('"')
    return numbers[0] if len(numbers) == 1 else numbers


def _qualisys(element: ElementTree.Element) -> tuple[str, dict[str, Any]]:
    """Focal lengths and centres in 1/64 pixel of the sensor; `fov_video` is the part of it that is filmed."""
    area, lens = element.find("fov_video"), element.find("intrinsic")
    if area is None or lens is None:
        raise ValueError("has a camera without <fov_video> or <intrinsic>: export the calibration again")
    left, top, right, bottom = (float(area.attrib[key]) for key in ("left", "top", "right", "bottom"))
    fx, fy, cx, cy = (
        float(lens.attrib[key]) / _QUALISYS_SUBPIXELS
        for key in ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV")
    )
    keys = ("radialDistortion1", "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2")
    distortion = [float(lens.attrib[key]) for key in keys]
    if float(lens.get("radialDistortion3", 0)):
        distortion.append(float(lens.attrib["radialDistortion3"]))
    if float(lens.get("skew", 0)):
        raise ValueError("has a lens with skew, which is not known here: calibrate without")
    size = [right - left + 1, bottom - top + 1]
    told = {"fx": fx, "fy": fy, "cx": cx - left, "cy": cy - top, "distortion": distortion, "size": size}
    return element.get("serial") or "?", told
