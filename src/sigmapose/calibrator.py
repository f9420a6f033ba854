"""A fitted calibrator: what it scales, what it was fitted on, its file. Fitting is in
:mod:`sigmapose.calibrate`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.errors import InputError, SkeletonError
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26

FORMAT = "sigmapose/calibrator"


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
class Calibrator:
    """Scales by evidence source (``none`` for bare keypoints, or the encoder), and where they come from."""

    name: str
    skeleton: str
    fitted_on: str
    samples: dict[str, int]
    scales: dict[str, VarianceScales]

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

    def save(self, path: Path) -> None:
        """JSON, readable and diffable."""
        scales = {
            source: {
                "relative": np.round(s.relative, 4).tolist(),
                "points": np.round(s.points, 4).tolist(),
                "stature": round(s.stature, 4),
                "constant_sigma_mm": np.round(s.constant_sigma_mm, 1).tolist(),
            }
            for source, s in self.scales.items()
        }
        content = {
            "format": FORMAT,
            "version": 1,
            "name": self.name,
            "skeleton": self.skeleton,
            "fitted_on": self.fitted_on,
            "samples": self.samples,
            "scales": scales,
        }
        path.write_text(json.dumps(content) + "\n")

    @classmethod
    def load(cls, path: Path) -> Calibrator:
        """Read a calibrator file; InputError when it is none."""
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read calibrator '{path}': {error}") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != 1:
            raise InputError(
                f"'{path}' is not a version 1 {FORMAT} file: fit one with this version of sigmapose"
            )
        scales = {
            source: VarianceScales(
                np.array(s["relative"]),
                np.array(s["points"]),
                float(s["stature"]),
                np.array(s["constant_sigma_mm"]),
            )
            for source, s in content["scales"].items()
        }
        return cls(content["name"], content["skeleton"], content["fitted_on"], content["samples"], scales)
