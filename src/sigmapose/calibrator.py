"""A fitted calibrator: what it scales, how far its regions reach, what it was fitted on, its file.

Fitting is in :mod:`sigmapose.calibrate`; docs/formats.md explains the file.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.errors import InputError, SigmaposeError, SkeletonError
from sigmapose.gaussian import chi2_radius
from sigmapose.kinematics import KINDS_OF_ALL
from sigmapose.quantities import KINDS, QuantityRadii
from sigmapose.quantity_intervals import FEATURES
from sigmapose.quantity_law import FittedLaw, QuantityLaw
from sigmapose.reading import MAX_SMALL_BYTES, reason
from sigmapose.reading import read_json as read_any_json
from sigmapose.regions import check_levels
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26, VISIBILITY
from sigmapose.writing import write_text

FORMAT = "sigmapose/calibrator"
PEER_FORMAT = "sigmapose/peer-calibrator"
VERSION = 2
CAMERA_KNOWN = "/camera"
"""Ends the name of an evidence source whose camera is known."""
MAX_SCALE = 1e4
"""Of a variance: error bars a hundred times as long are no calibration."""
MAX_RADIUS = 1e3
MAX_COEFFICIENT = 1e3
MAX_SIGMA_MM = 1e5
READABLE = (1, 2)
"""Version 1 had scales only; its regions are those of Gaussians. `quantity_radii` of version 2 may be absent:
intervals of angles and lengths are then those of the joints as they are."""


@dataclass(frozen=True)
class VarianceScales:
    """Scales of one evidence source: ``relative`` for cov over (du, dv, dz), ``points`` for cov over (u,
    v)."""

    relative: Float[Array, "26 4"]
    points: Float[Array, "26 4"]
    stature: float
    """Factor of the standard deviation of ln stature."""
    constant_sigma_mm: Float[Array, " 26"]
    """What one constant isotropic sigma per joint would have to be: the baseline to beat."""


@dataclass(frozen=True)
class RadiusGroup:
    """Radii of one group, and whose they are: its own, or those of a larger group when it was too small."""

    source: str
    """The group that was measured: ``elbows/visible``, its parent ``visible``, or ``all``."""
    count: int
    """Calibration joints of this group itself."""
    frames: int
    """Pictures they come from."""
    radii: tuple[float, ...]
    """One for each level."""


@dataclass(frozen=True, repr=False)
class ConformalRadii:
    """Mahalanobis radii of one evidence source after scaling, by joint, visibility class and level."""

    levels: tuple[float, ...]
    relative: Float[Array, "26 4 level"]
    points: Float[Array, "26 4 level"]
    relative_groups: dict[str, RadiusGroup] = field(default_factory=dict)
    point_groups: dict[str, RadiusGroup] = field(default_factory=dict)
    joint_groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of the joints of every joint group; a joint of none has a Gaussian's radii."""
    quantity_groups: dict[str, RadiusGroup] = field(default_factory=dict)
    """Radii of the intervals of angles and lengths, by kind (`knee_angle`); empty where not measured."""
    quantity_laws: dict[str, FittedLaw] = field(default_factory=dict)
    """Laws of angles by kind (`knee_flexion`); they count before radii."""

    @cached_property
    def quantity_radii(self) -> QuantityRadii | None:
        """What poses carry of both."""
        if not self.quantity_groups and not self.quantity_laws:
            return None
        return QuantityRadii(
            self.levels,
            {kind: g.radii for kind, g in self.quantity_groups.items()},
            {kind: fitted.law for kind, fitted in self.quantity_laws.items()},
        )


@dataclass(frozen=True)
class Provenance:
    """What a calibrator was fitted on, and how."""

    data: tuple[str, ...]
    """Names of files or folders."""
    split: str
    subjects: tuple[str, ...]
    clips: int
    protocol: str
    """Which predictions were compared with which truth."""
    method: str
    date: str
    """ISO 8601."""


@dataclass(frozen=True)
class Calibrator:
    """Scales and radii by evidence source (``none`` for bare keypoints, or the encoder; followed by
    `CAMERA_KNOWN` where the focal length is known), and where they come from."""

    name: str
    skeleton: str
    fitted_on: str
    samples: dict[str, int]
    scales: dict[str, VarianceScales]
    radii: dict[str, ConformalRadii] = field(default_factory=dict)
    provenance: Provenance | None = None

    def scales_for(self, source: str) -> VarianceScales:
        """Scales of an evidence source.

        Raises:
            SkeletonError: fitted on another skeleton. InputError: never fitted for that source.
        """
        if self.skeleton != BODY_26.name:
            raise SkeletonError(
                f"calibrator '{self.name}' was fitted on skeleton '{self.skeleton}', "
                f"got '{BODY_26.name}': fit a new one"
            )
        if source not in self.scales:
            raise InputError(
                f"calibrator '{self.name}' knows {', '.join(self.scales)}, not '{source}': fit one for it"
            )
        return self.scales[source]

    def radii_for(self, source: str) -> ConformalRadii | None:
        """Radii of an evidence source; None where only variances were fitted. Raises as `scales_for`."""
        self.scales_for(source)
        return self.radii.get(source)

    def source_for(self, source: str, camera_known: bool) -> str:
        """Where the scales and radii of an evidence source stand: apart where the camera is known, if they
        were fitted apart."""
        apart = source + CAMERA_KNOWN
        return apart if camera_known and apart in self.scales else source

    def save(self, path: Path) -> None:
        """JSON, one group a line: readable and diffable."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "skeleton": self.skeleton,
            "fitted_on": self.fitted_on,
            "provenance": None if self.provenance is None else asdict(self.provenance),
            "samples": self.samples,
            "sources": {source: self._source(source) for source in self.scales},
        }
        write_json(content, path)

    def _source(self, source: str) -> dict[str, Any]:
        s, radii = self.scales[source], self.radii.get(source)
        told: dict[str, Any] = {
            "relative": np.round(s.relative, 4).tolist(),
            "points": np.round(s.points, 4).tolist(),
            "stature": round(s.stature, 4),
            "constant_sigma_mm": np.round(s.constant_sigma_mm, 1).tolist(),
        }
        if radii is not None:
            told["levels"] = list(radii.levels)
            told["joint_groups"] = {name: list(joints) for name, joints in radii.joint_groups.items()}
            told["relative_radii"] = {k: asdict(g) for k, g in radii.relative_groups.items()}
            told["point_radii"] = {k: asdict(g) for k, g in radii.point_groups.items()}
            if radii.quantity_groups:
                told["quantity_radii"] = {k: asdict(g) for k, g in radii.quantity_groups.items()}
            if radii.quantity_laws:
                told["quantity_laws"] = {k: law_rows(fitted) for k, fitted in radii.quantity_laws.items()}
        return told

    @classmethod
    def load(cls, path: Path) -> Calibrator:
        """Read a calibrator file.

        Raises:
            InputError: missing, malformed, another version, or fitted for another program's predictions.
        """
        content = read_json(path)
        if content.get("format") == PEER_FORMAT:
            raise InputError(
                f"'{path}' was fitted for predictions of '{content.get('name')}', not for sigmapose: "
                "use it with `sigmapose calibrate --apply`"
            )
        if content.get("format") != FORMAT or content.get("version") not in READABLE:
            got = f"{content.get('format')!r} version {content.get('version')!r}"
            raise InputError(
                f"'{path}' is not a {FORMAT} file of version {READABLE[0]} to {VERSION}, got {got}: "
                "fit one with this version of sigmapose"
            )
        try:
            return cls._parsed(content)
        except (*DAMAGES, SigmaposeError) as error:
            raise InputError(f"'{path}' is a damaged calibrator ({reason(error)}): fit a new one") from error

    @classmethod
    def _parsed(cls, content: dict[str, Any]) -> Calibrator:
        sources = content["scales" if content["version"] == 1 else "sources"]
        told = content.get("provenance")
        provenance = None if told is None else provenance_of(told)
        return cls(
            word(content, "name"), word(content, "skeleton"), word(content, "fitted_on"),
            counts_of(content, "samples"),
            {name: _scales(s) for name, s in sources.items()},
            {name: _radii(s) for name, s in sources.items() if "levels" in s},
            provenance,
        )  # fmt: skip


DAMAGES = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What parsing a calibrator raises that is not what a calibrator should be."""


def word(content: dict[str, Any], key: str) -> str:
    """A text of the file; ValueError when it is none."""
    if not isinstance(content[key], str) or not 0 < len(content[key]) <= 1000:
        raise ValueError(f"{key} must be a text, got {str(content[key])[:40]}")
    return content[key]


def counts_of(content: dict[str, Any], key: str) -> dict[str, int]:
    """Whole numbers by name; ValueError when they are none."""
    for name, count in content[key].items():
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 2**63:
            raise ValueError(f"{key} of {name!r} must be a whole number, got {str(count)[:40]}")
    return dict(content[key])


def provenance_of(told: dict[str, Any]) -> Provenance:
    """What a file says of its data; ValueError when it is not in words."""
    for key in ("split", "protocol", "method", "date"):
        word({key: told[key] or " "}, key)
    lists = {name: tuple(str(item) for item in told[name]) for name in ("data", "subjects")}
    return Provenance(**{**told, **lists, "clips": counts_of({"clips": {"": told["clips"]}}, "clips")[""]})


def within(values: Any, low: float, high: float, shape: tuple[int, ...], what: str) -> Float[Array, "..."]:
    """Numbers above `low` and at most `high`; ValueError on others, NaN among them."""
    numbers = np.array(values, dtype=np.float64)
    if numbers.shape != shape:
        raise ValueError(f"{what} must have shape {shape}, got {numbers.shape}")
    wrong = ~((numbers > low) & (numbers <= high))
    if wrong.any():
        at_least = "more than 0" if low == 0 else "0 or more"
        raise ValueError(f"{what} must be {at_least}, at most {high:g}, got {numbers[wrong].flat[0]:g}")
    return numbers


def _scales(s: dict[str, Any]) -> VarianceScales:
    shape = (len(BODY_26), len(VISIBILITY))
    return VarianceScales(
        within(s["relative"], 0.0, MAX_SCALE, shape, "relative"),
        within(s["points"], 0.0, MAX_SCALE, shape, "points"),
        float(within(s["stature"], 0.0, MAX_SCALE, (), "stature")),
        within(s["constant_sigma_mm"], -1e-9, MAX_SIGMA_MM, (len(BODY_26),), "constant_sigma_mm"),
    )


def radius_groups(told: dict[str, Any], levels: tuple[float, ...]) -> dict[str, RadiusGroup]:
    """Radii by group, one for each level, that do not fall; ValueError on others."""
    groups = {}
    for name, g in told.items():
        radii = within(g["radii"], -1e-9, MAX_RADIUS, (len(levels),), f"radii of {name!r}")
        if (np.diff(radii) < 0).any():
            raise ValueError(f"radii of {name!r} must not fall, got {radii.tolist()}")
        count, frames = (counts_of({"count": {name: g[key]}}, "count")[name] for key in ("count", "frames"))
        groups[name] = RadiusGroup(word(g, "source"), count, frames, tuple(radii.tolist()))
    return groups


def law_rows(fitted: FittedLaw) -> dict[str, Any]:
    """A law as a file has it."""
    return {"count": fitted.count, "frames": fitted.frames} | asdict(fitted.law)


def laws_of(told: dict[str, Any], levels: tuple[float, ...]) -> dict[str, FittedLaw]:
    """Laws by kind; ValueError on others."""
    laws = {}
    for name, g in told.items():
        parts = [
            within(g[part], -MAX_COEFFICIENT, MAX_COEFFICIENT, (size,), f"{part} of the law of {name!r}")
            for part, size in zip(
                ("shift", "spread", "low", "high"), 2 * [len(FEATURES)] + 2 * [len(levels)], strict=True
            )
        ]
        count, frames = (counts_of({"count": {name: g[key]}}, "count")[name] for key in ("count", "frames"))
        laws[name] = FittedLaw(QuantityLaw(*(tuple(p.tolist()) for p in parts)), count, frames)
    return laws


def _radii(s: dict[str, Any]) -> ConformalRadii:
    levels = tuple(float(level) for level in s["levels"])
    check_levels(levels)
    joints = {name: tuple(members) for name, members in s["joint_groups"].items()}
    relative, points = (radius_groups(s[key], levels) for key in ("relative_radii", "point_radii"))
    quantities = radius_groups(s.get("quantity_radii", {}), levels)
    laws = laws_of(s.get("quantity_laws", {}), levels)
    known = {f"{part}/{visible}" for part in joints for visible in VISIBILITY}
    unknown = sorted((set(relative) | set(points)) - known) + sorted(set(quantities) - set(KINDS))
    unknown += sorted(set(laws) - set(KINDS_OF_ALL))
    if unknown:
        raise ValueError(f"radii of {unknown[0][:40]!r}, which is no group of joints and no kind of quantity")
    return ConformalRadii(
        levels,
        spread_radii(relative, joints, levels, 3),
        spread_radii(points, joints, levels, 2),
        relative, points, joints, quantities, laws,
    )  # fmt: skip


def spread_radii(
    groups: dict[str, RadiusGroup],
    joint_groups: dict[str, tuple[str, ...]],
    levels: tuple[float, ...],
    dims: int,
) -> Float[Array, "26 4 level"]:
    """Radii by joint and class from those of groups named ``<joint group>/<class>``."""
    gaussian = np.array([chi2_radius(level, dims) for level in levels])
    radii = np.tile(gaussian, (len(BODY_26), len(VISIBILITY), 1))
    for name, joints in joint_groups.items():
        for c, visible in enumerate(VISIBILITY):
            group = groups.get(f"{name}/{visible}")
            if group is not None:
                radii[[BODY_26.index(joint) for joint in joints], c] = group.radii
    return radii


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; InputError when there is none."""
    content = read_any_json(path, "fit one with `sigmapose calibrate`", limit=MAX_SMALL_BYTES)
    if not isinstance(content, dict):
        raise InputError(f"'{path}' is not a calibrator: fit one with `sigmapose calibrate`")
    return content


def write_json(content: dict[str, Any], path: Path) -> None:
    """JSON with one line for every value that holds no objects; OutputError when it cannot be written."""
    write_text(_lines(content, "") + "\n", path)


def _lines(value: Any, indent: str) -> str:
    if not isinstance(value, dict) or not any(isinstance(v, dict) for v in value.values()):
        return json.dumps(value, allow_nan=False)
    inner = indent + " "
    rows = [f"{inner}{json.dumps(k)}: {_lines(v, inner)}" for k, v in value.items()]
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
