"""The focal length that the file of a video states, as FFmpeg shows its metadata.

Apple's cameras write `com.apple.quicktime.camera.focal_length.35mm_equivalent` into QuickTime's metadata of
the film or of its track; most other phones and cameras write none. It is that of the lens and the whole
sensor: what stabilisation, the shape of the film and digital zoom cut away is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

KEYS = (
    "com.apple.quicktime.camera.focal_length.35mm_equivalent",
    "camera.focal_length.35mm_equivalent",
    "focallengthin35mmfilm",
    "focallengthin35mmformat",
)
"""In small letters; the others are what programs make of it that copy EXIF names into Matroska and MP4."""
ZOOMS = ("com.apple.quicktime.camera.digital_zoom_ratio", "digitalzoomratio")
MOST_ZOOM = 30.0
VIDEO_FOCAL_LOG = 0.10
"""Standard deviation of the log of such a focal length: stabilisation cuts 5 to 20 % of the picture away."""


def stated_focal_35mm(tags: Iterable[Mapping[str, str]]) -> float | None:
    """Focal length in mm on a sensor whose longer side is 36 mm, digital zoom included; None where no tag
    states a number.

    Args:
        tags: metadata of the film and of its stream.
    """
    told: dict[str, str] = {}
    for some in tags:
        told |= {key.lower(): value for key, value in some.items()}
    focal, zoom = _first(told, KEYS), _first(told, ZOOMS)
    if focal is None or zoom is None or not 1.0 <= zoom <= MOST_ZOOM:
        return focal
    return focal * zoom


def _first(told: Mapping[str, str], keys: Iterable[str]) -> float | None:
    numbers = (_number(told.get(key)) for key in keys)
    return next((number for number in numbers if number is not None), None)


def _number(text: str | None) -> float | None:
    try:
        number = float((text or "").lower().removesuffix("mm").strip())
    except ValueError:
        return None
    return number if 0 < number < 1e5 else None
