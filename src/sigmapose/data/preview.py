"""A contact sheet of samples: joints and bones coloured by visibility, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from sigmapose.data.sample import Sample
from sigmapose.errors import OutputError
from sigmapose.shapes import Array, Float, UInt8
from sigmapose.skeleton import VISIBILITY, Skeleton

Colour = tuple[int, int, int]

CELL_PX = 320
GAP_PX = 6
CAPTION_PX = 26
LEGEND_PX = 44
COLUMNS = 6
SAMPLES = 24
"""How many samples a sheet shows."""
COLOURS: dict[str, Colour] = {
    "visible": (64, 224, 96),
    "self_occluded": (255, 208, 0),
    "object_occluded": (255, 64, 160),
    "truncated": (72, 160, 255),
    "unknown": (200, 200, 200),
}
_PAPER, _INK, _FONT = (24, 24, 28), (225, 225, 225), cv2.FONT_HERSHEY_SIMPLEX
_SUBPIXEL_BITS = 4


def contact_sheet(samples: Sequence[Sample], columns: int = COLUMNS) -> UInt8[Array, "h w 3"]:
    """Pictures in a grid, each with its truth drawn on it and beside its clean twin when there is one.

    Raises:
        InputError: a picture cannot be decoded.
    """
    cells = [_cell(sample) for sample in samples]
    if any(sample.clean_picture for sample in samples):
        columns = columns * 2 // 3  # a pair is twice as wide
    columns = max(1, min(columns, len(cells)))
    width = max((cell.shape[1] for cell in cells), default=CELL_PX)
    rows = -(-len(cells) // columns)
    height = CELL_PX + CAPTION_PX
    sheet = np.empty((LEGEND_PX + rows * (height + GAP_PX), columns * (width + GAP_PX) + GAP_PX, 3), np.uint8)
    sheet[:] = _PAPER
    _legend(sheet)
    for number, cell in enumerate(cells):
        y = LEGEND_PX + number // columns * (height + GAP_PX)
        x = GAP_PX + number % columns * (width + GAP_PX)
        sheet[y : y + height, x : x + cell.shape[1]] = cell
    return sheet


def write_contact_sheet(samples: Sequence[Sample], path: Path) -> None:
    """Write the sheet as PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    png = cv2.imencode(".png", cv2.cvtColor(contact_sheet(samples), cv2.COLOR_RGB2BGR))[1]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png.tobytes())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}): choose another file") from error


def _cell(sample: Sample) -> UInt8[Array, "h w 3"]:
    """One sample with its caption; the clean twin to the right."""
    picture = sample.read_picture()
    shown, scale, offset = _fit(picture)
    if sample.points_px is not None:
        points = sample.points_in_picture(picture.shape[1])
        _draw_person(shown, (points + 0.5) * scale - 0.5 + offset, sample.skeleton, sample.visibility)
    pictures = [shown]
    if sample.clean_picture is not None:
        pictures.append(_fit(sample.clean_picture.read())[0])
    row = np.concatenate(pictures, axis=1)
    caption = np.empty((CAPTION_PX, row.shape[1], 3), np.uint8)
    caption[:] = _PAPER
    _text(caption, _describe(sample), (2, CAPTION_PX - 9))
    return np.concatenate([row, caption])


def _describe(sample: Sample) -> str:
    hidden, aimed = sample.facts.get("occluded_fraction"), sample.facts.get("severity")
    words = [sample.id]
    if hidden is not None:
        words.append(f"hidden {100 * hidden:.0f} %" + (f" (aimed {100 * aimed:.0f})" if aimed else ""))
    return "   ".join(words)


def _fit(picture: UInt8[Array, "h w 3"]) -> tuple[UInt8[Array, "cell cell 3"], float, Float[Array, " 2"]]:
    """The picture in a square cell, its scale and where its corner lies."""
    height, width = picture.shape[:2]
    scale = CELL_PX / max(height, width)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    cell = np.zeros((CELL_PX, CELL_PX, 3), np.uint8)
    x, y = (CELL_PX - size[0]) // 2, (CELL_PX - size[1]) // 2
    cell[y : y + size[1], x : x + size[0]] = cv2.resize(picture, size, interpolation=way)
    return cell, scale, np.array([x, y], float)


def _draw_person(
    cell: UInt8[Array, "cell cell 3"],
    points: Float[Array, "joint 2"],
    skeleton: Skeleton,
    visibility: Array | None,
) -> None:
    """Bones take the colour of their less visible end; dark outlines keep them apart from the picture."""
    classes = np.full(len(skeleton), -1) if visibility is None else visibility
    colours = [COLOURS[VISIBILITY[c]] if c >= 0 else COLOURS["unknown"] for c in classes.tolist()]
    known = np.asarray((np.isfinite(points) & (np.abs(points) < 8 * CELL_PX)).all(1))
    fixed = np.where(known[:, None], np.round(points * 2**_SUBPIXEL_BITS), 0).astype(int).tolist()
    for thickness in (3, 1):
        for a, b in skeleton.bones:
            if known[a] and known[b]:
                worse = a if classes[a] >= classes[b] else b
                colour = colours[worse] if thickness == 1 else (0, 0, 0)
                cv2.line(cell, fixed[a], fixed[b], colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
    for joint in np.flatnonzero(known).tolist():
        for radius, colour in ((3.8, (0, 0, 0)), (2.8, colours[joint])):
            size = round(radius * 2**_SUBPIXEL_BITS)
            cv2.circle(cell, fixed[joint], size, colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _legend(sheet: UInt8[Array, "h w 3"]) -> None:
    x, y = GAP_PX + 8, LEGEND_PX // 2
    for name in VISIBILITY:
        cv2.circle(sheet, (x, y), 7, COLOURS[name], -1, cv2.LINE_AA)
        label = name.replace("_", "-")
        _text(sheet, label, (x + 13, y + 5))
        x += 13 + cv2.getTextSize(label, _FONT, 0.5, 1)[0][0] + 26


def _text(image: UInt8[Array, "h w 3"], text: str, at: tuple[int, int]) -> None:
    cv2.putText(image, text, at, _FONT, 0.46, _INK, 1, cv2.LINE_AA)
