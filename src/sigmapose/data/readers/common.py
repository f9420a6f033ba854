"""What readers of data sets share: checks, joint maps, and the record of what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import VISIBILITY, JointMap, Skeleton, Status

TRUNCATED = VISIBILITY.index("truncated")
VISIBLE = VISIBILITY.index("visible")
UNKNOWN = -1
_SHOWN = 5


@dataclass
class Skipped:
    """What a reader left out and why; filled while the samples are taken."""

    reasons: dict[str, int] = field(default_factory=dict)
    """How often, by reason."""
    names: dict[str, list[str]] = field(default_factory=dict)
    """What exactly, by reason."""

    def add(self, reason: str, name: str) -> None:
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        self.names.setdefault(reason, []).append(name)

    @property
    def total(self) -> int:
        return sum(self.reasons.values())

    def __str__(self) -> str:
        parts = []
        for reason, count in self.reasons.items():
            more = ", ..." if count > _SHOWN else ""
            parts.append(f"{count} {reason} ({', '.join(self.names[reason][:_SHOWN])}{more})")
        return "; ".join(parts) or "nothing skipped"


def own_skeleton(name: str, joint_names: str) -> Skeleton:
    """A data set's own joints, without bones; mirror partners by `left` and `right` in the names.

    Args:
        name: of the skeleton.
        joint_names: in the order of the data, separated by blanks.
    """
    joints = tuple(joint_names.split())
    swap = {j: j.replace("left", "right") if "left" in j else j.replace("right", "left") for j in joints}
    flip = tuple(joints.index(swap[j]) if swap[j] in joints else k for k, j in enumerate(joints))
    return Skeleton(name, joints, (), None, flip)


def own_map(
    source: Skeleton, target: Skeleton, exact: Mapping[str, str], approximate: Mapping[str, str]
) -> JointMap:
    """A map by name: target joint -> source joint, or several joined by `+`, of which the mean is taken.

    `{side}` in a name stands for both sides. Target joints that are not named, or whose origin the source
    does not have, are missing.
    """
    weights = np.zeros((len(target), len(source)))
    status: list[Status] = ["missing"] * len(target)
    kinds: tuple[tuple[Status, Mapping[str, str]], ...] = (("exact", exact), ("approximate", approximate))
    for kind, table in kinds:
        for joint, origins in table.items():
            for side in ("left", "right") if "{side}" in joint else ("",):
                row = target.index(joint.format(side=side))
                names = origins.format(side=side).split("+")
                if not set(names) <= set(source.joints):
                    continue
                weights[row, [source.index(n) for n in names]] = 1.0 / len(names)
                status[row] = kind
    weights.flags.writeable = False
    return JointMap(source, target, weights, tuple(status))


def choose_map(maps: Mapping[str, JointMap], skeleton: str, source: str) -> JointMap:
    """The map to a skeleton by name.

    Raises:
        DataError: the reader has none for it.
    """
    if skeleton not in maps:
        raise DataError(f"{source} is read as {' or '.join(maps)}, got skeleton={skeleton!r}: choose one")
    return maps[skeleton]


def choose_split(split: Split | str | None) -> Split | None:
    """The split of that name.

    Raises:
        DataError: no such split.
    """
    if split is None:
        return None
    try:
        return Split(split)
    except ValueError:
        raise DataError(f"unknown split {split!r}: choose from {', '.join(Split)}") from None


def check_every(every: int) -> None:
    """Refuse a step below 1."""
    if every < 1:
        raise DataError(f"every={every}: take every 1st, 2nd, ... frame: give a whole number from 1")


def need(path: Path, what: str, where: str) -> Path:
    """A path that must exist.

    Raises:
        DataError: it does not; names `what` it is and `where` to get it.
    """
    if not path.exists():
        raise DataError(f"no {what} at '{path}': {where}")
    return path


def check_finite(values: Float[Array, "frame *rest"], where: str) -> None:
    """Refuse values that are not finite, naming the first frame.

    Raises:
        DataError: NaN or infinity in `values`.
    """
    finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if not finite.all():
        bad = int(np.argmin(finite))
        raise DataError(
            f"{where}: frame {bad} holds a value that is not finite ({int((~finite).sum())} such frames): "
            "copy or convert the file again"
        )


def check_shape(values: Array, shape: tuple[int | None, ...], where: str) -> None:
    """Refuse another shape; None stands for any length.

    Raises:
        DataError: the shape differs.
    """
    fits = values.ndim == len(shape) and all(
        want is None or got == want for got, want in zip(values.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("N" if n is None else str(n) for n in shape)
        raise DataError(f"{where}: has shape {values.shape}, expected ({wanted}): is this the right file?")


def check_choice(wanted: Iterable[str], known: Iterable[str], what: str) -> None:
    """Refuse names that are not known.

    Raises:
        DataError: names all that are unknown.
    """
    known = list(known)
    unknown = [w for w in wanted if w not in known]
    if unknown:
        raise DataError(f"unknown {what} {', '.join(unknown)}: choose from {', '.join(known)}")


def truncation(points_px: Float[Array, "*batch joint 2"], camera: Camera) -> Int[Array, "*batch joint"]:
    """Truncated where a joint lies outside the picture, else unknown."""
    with np.errstate(invalid="ignore"):
        inside = (points_px > -0.5) & (points_px < (camera.width - 0.5, camera.height - 0.5))
    outside = np.isfinite(points_px).all(axis=-1) & ~inside.all(axis=-1)
    return np.where(outside, TRUNCATED, UNKNOWN).astype(np.int8)


def joint_box(points_px: Float[Array, "joint 2"]) -> Float[Array, " 4"] | None:
    """The box around the joints that are there: x0, y0, x1, y1; None without any."""
    known = points_px[np.isfinite(points_px).all(axis=-1)]
    return np.concatenate([known.min(axis=0), known.max(axis=0)]) if len(known) else None
