"""The `poses.json` schema, version 2, as pydantic models; docs/formats.md explains it.

Pydantic checks what comes from outside; the rest of the library works on `sigmapose.pose.Frame` and `Pose`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT = "sigmapose/poses"
VERSION = 2
READABLE = (1, 2)
"""Version 2 says whether people are smoothed in time, and may hold them unsmoothed too."""

Number = Annotated[float, Field(allow_inf_nan=False)]
Maybe = Number | None
"""null stands for NaN: the value does not exist."""
Vector2 = tuple[Maybe, Maybe]
Vector3 = tuple[Maybe, Maybe, Maybe]
Upper2 = tuple[Maybe, Maybe, Maybe]
Upper3 = tuple[Maybe, Maybe, Maybe, Maybe, Maybe, Maybe]
Classes4 = tuple[Maybe, Maybe, Maybe, Maybe]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class CameraModel(_Model):
    """Intrinsics in pixels; pixel (0, 0) is the centre of the top-left pixel."""

    fx: Number
    fy: Number
    cx: Number
    cy: Number
    distortion: list[Number] = Field(default=[], description="OpenCV order: k1, k2, p1, p2[, k3].")
    known: bool = Field(description="false: the focal length was assumed, not measured.")
    focal_log: Number | None = Field(
        default=None,
        description="Standard deviation of the log of the focal length; absent: 0 where known, else 0.3.",
    )
    fov_deg: Number | None = Field(
        default=None, description="Field of view across the longer side; follows from the other fields."
    )
    fov_interval_90_deg: tuple[Number, Number] | None = Field(
        default=None, description="Its 90 % interval; follows from the other fields."
    )


class SourceModel(_Model):
    """One picture or video that frames come from."""

    file: str
    width: int = Field(description="Of the upright picture, pixels.")
    height: int
    fps: Number | None = Field(default=None, description="Frames per second; null for a photo.")
    camera: CameraModel


class SkeletonModel(_Model):
    """Joint order of every per-joint list."""

    name: str
    joints: list[str]
    bones: list[tuple[int, int]] = Field(description="Pairs of joint indices, the one nearer the root first.")


class UnitsModel(_Model):
    """Fixed; written so that the file explains itself."""

    length: Literal["mm"] = "mm"
    image: Literal["px"] = "px"
    time: Literal["s"] = "s"
    axes: Literal["camera: x right, y down, z forward"] = "camera: x right, y down, z forward"


class RawPersonModel(_Model):
    """One person of one frame. Lists over joints follow `skeleton.joints`."""

    track: int = Field(description="Number of the person through a video; -1 for none.")
    score: Number = Field(description="0 to 1: that this is a person.")
    joints_mm: list[Vector3] = Field(description="Relative to the root joint, camera axes.")
    cov_mm2: list[Upper3] = Field(description="Covariance of joints_mm: xx, xy, xz, yy, yz, zz.")
    points_px: list[Vector2] = Field(description="In the picture, lens distortion included.")
    cov_px2: list[Upper2] = Field(description="Covariance of points_px: xx, xy, yy.")
    visibility: list[Classes4] = Field(
        description="Probabilities: visible, self_occluded, object_occluded, truncated."
    )
    root_mm: Vector3 = Field(description="The root joint in camera space.")
    root_cov_mm2: Upper3 = Field(description="Covariance of root_mm: xx, xy, xz, yy, yz, zz.")
    regions: list[int] | None = Field(
        default=None, description="Row of each joint in the file's `regions`; null: regions are a Gaussian's."
    )
    factors_mm: list[list[Maybe]] | None = Field(
        default=None,
        description="What joints err by together: F of each joint, 3 rows of equally many numbers one after "
        "another; the covariance of different joints i and j is F_i F_j^T. null: joints err independently.",
    )
    quantities: int | None = Field(
        default=None, description="Row in the file's `quantities`; null: intervals as the draws give them."
    )
    predicted: bool = Field(
        default=False,
        description="Whether the person is not seen in this frame: where they should be, going by others.",
    )


class PersonModel(RawPersonModel):
    """One person of one frame, smoothed in time where the file says so."""

    raw: RawPersonModel | None = Field(
        default=None, description="The same person as the frame alone shows them, where that was kept."
    )


class FrameModel(_Model):
    """One picture with everybody found in it; `people` may be empty."""

    index: int = Field(description="Number of the frame in its source, from 0.")
    time_s: Number
    source: str = Field(description="`file` of one of the sources.")
    people: list[PersonModel]


class HeadModel(_Model):
    """What stands before the frames."""

    format: Literal["sigmapose/poses"]
    version: Literal[1, 2]
    generator: str = Field(description="Program and version that wrote the file.")
    units: UnitsModel = UnitsModel()
    skeleton: SkeletonModel


class RegionsModel(_Model):
    """Mahalanobis radii that a conformal calibrator measured, one row for every kind of joint that occurs."""

    levels: list[Number] = Field(description="Probabilities, rising.")
    joints: list[list[Number]] = Field(description="Radii for cov_mm2, one for each level.")
    points: list[list[Number]] = Field(description="Radii for cov_px2, one for each level.")


class LawModel(_Model):
    """How true angles of a kind lie about stated ones, as a calibrator fitted it; docs/method.md."""

    shift: list[Number] = Field(description="Of the middle, in half widths, by feature.")
    spread: list[Number] = Field(description="Of the logarithm of the spread, by feature.")
    low: list[Number] = Field(description="Lower ends in spreads, one for each level.")
    high: list[Number] = Field(description="Upper ends in spreads, one for each level.")


class QuantitiesModel(_Model):
    """Radii of the intervals of angles and lengths, as a calibrator measured them."""

    levels: list[Number] = Field(description="Probabilities, rising.")
    radii: dict[str, list[Number]] = Field(description="By kind (`knee_angle`), one for each level.")
    laws: dict[str, LawModel] = Field(
        default={}, description="By kind (`knee_flexion`); they count before radii."
    )


class TailModel(_Model):
    """What stands after the frames, because it is only known then."""

    calibrator: str = Field(default="none", description="Calibrator of the covariances; none: uncalibrated.")
    sources: list[SourceModel]
    smoothed: bool = Field(
        default=False, description="Whether people are smoothed in time, with what other frames know of them."
    )
    complete: bool = Field(default=True, description="false: writing was interrupted; the frames are good.")
    messages: list[str] = Field(default=[], description="What the reader of the input had to report.")
    regions: RegionsModel | None = Field(
        default=None, description="How far regions reach, where a calibrator measured it."
    )
    quantities: list[QuantitiesModel] = Field(
        default=[],
        description="How far intervals of angles and lengths reach, where a calibrator measured it.",
    )


class PosesDocument(TailModel, HeadModel):
    """3D human poses with covariances from pictures or videos."""

    frames: list[FrameModel]


def json_schema() -> dict[str, object]:
    """The JSON Schema of `poses.json` (draft 2020-12)."""
    schema = PosesDocument.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
