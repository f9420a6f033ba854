"""The figures of everybody who is in two frames or more, as SVG and PNG."""

from __future__ import annotations

import re
from pathlib import Path

import cv2

from sigmapose.errors import OutputError
from sigmapose.measurement.band_plot import draw_figure, figure_size
from sigmapose.measurement.canvas import PictureCanvas, SvgCanvas
from sigmapose.measurement.people_in_time import PersonInTime
from sigmapose.measurement.series import Measurements
from sigmapose.writing import whole_file, write_text

MOST_PEOPLE = 20
"""Those with the most frames are drawn."""
REMEDY = "choose another --out"


def plotted_people(measured: Measurements) -> list[PersonInTime]:
    """Who is drawn: the people with the most frames, in the order of the tables; nobody without series."""
    lasting = [person for person in measured.people if len(person) > 1 and measured.series]
    chosen = sorted(lasting, key=len, reverse=True)[:MOST_PEOPLE]
    return [person for person in lasting if any(person is one for one in chosen)]


def plot_name(measured: Measurements, person: PersonInTime) -> str:
    """The name of a person's figure without its ending."""
    sources = list(dict.fromkeys(p.source for p in measured.people))
    if len(sources) == 1:
        return f"person_{person.number}"
    word = re.sub(r"[^A-Za-z0-9._-]+", "_", person.source)[:80]
    return f"{sources.index(person.source)}_{word}_person_{person.number}"


def write_plots(measured: Measurements, folder: Path) -> list[Path]:
    """Draw them into a folder that exists, and return the places of the files.

    Raises:
        OutputError: a file cannot be written.
    """
    places = []
    for person in plotted_people(measured):
        series = [s for s in measured if s.person is person]
        width, height = figure_size(series)
        name = plot_name(measured, person)
        svg, picture = SvgCanvas(width, height, name), PictureCanvas(width, height)
        for canvas in (svg, picture):
            draw_figure(canvas, series, measured.level, measured.rule)
        write_text(svg.document(), folder / f"{name}.svg", REMEDY)
        _write_picture(picture, folder / f"{name}.png")
        places += [folder / f"{name}.svg", folder / f"{name}.png"]
    return places


def _write_picture(picture: PictureCanvas, place: Path) -> None:
    done, data = cv2.imencode(".png", cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2BGR))
    if not done:
        raise OutputError(f"{place}: cannot be drawn: name fewer quantities with --angles")
    with whole_file(place, REMEDY) as part:
        part.write_bytes(data.tobytes())
