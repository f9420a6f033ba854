"""Limbs whose sides a detector exchanges for a while, put into clips: how many are put right, and how many
are exchanged that were right.

    python -m experiments side-exchanges --clips DIR

Clips of `smooth-clips`. In what was said of the pictures knees, ankles and feet, or elbows and wrists, change
sides for 1 to 20 frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.estimate.smooth.exchanged_limbs import LIMBS, exchanged, names_mended
from sigmapose.estimate.smooth.track_arrays import stack
from sigmapose.evaluate.pose_metrics import lengths
from sigmapose.io.poses_json import read_poses
from sigmapose.skeleton import BODY_26


@dataclass(frozen=True)
class SideExchanges:
    """Put exchanges in, and count."""

    clips: Path
    """Folder of `smooth-clips`."""
    split: str = "val"
    """Of the clips."""
    draws: int = 4
    """Of every clip and limb."""
    seed: int = 0


def main(options: SideExchanges) -> None:
    """Print the counts."""
    rng = np.random.default_rng(options.seed)
    frames = false = 0
    helped: list[float] = []
    told: dict[str, list[tuple[int, int, int]]] = {"legs": [], "arms": []}
    for file in sorted(options.clips.glob("*.npz")):
        with np.load(file) as truth:
            if str(truth["split"]) != options.split:
                continue
            joints = truth["joints_mm"] - truth["joints_mm"][:, [BODY_26.root]]
        seen = [(k, f) for k, f in enumerate(read_poses(file.with_suffix(".json"))) if f.poses]
        poses = [f.poses[0] for _, f in seen]
        track = stack(poses, [f.time_s for _, f in seen])
        scale = float(np.median([p.camera.focal_px / p.root_mm[2] for p in poses]))
        clean, _ = names_mended(track, scale)
        moved = (clean.points_px != track.points_px).any((1, 2))
        frames, false = frames + len(track), false + int(moved.sum())
        true = joints[[k for k, _ in seen]]
        helped += [
            float(lengths(track.joints_mm[t] - true[t]).mean() - lengths(clean.joints_mm[t] - true[t]).mean())
            for t in np.flatnonzero(moved)
        ]
        for name, limb in zip(told, LIMBS, strict=True):
            for _ in range(options.draws):
                count = int(rng.integers(1, min(21, len(track) - 10)))
                first = int(rng.integers(5, len(track) - count - 5))
                run = slice(first, first + count)
                wrong = exchanged(clean, limb, run)
                mended, _ = names_mended(wrong, scale)
                right = (mended.points_px == clean.points_px).all((1, 2))
                told[name].append((count, int(right[run].sum()), int((~right).sum() - (~right[run]).sum())))
    print(f"as they were said: exchanged in {false} of {frames} frames")
    if helped:
        share = float(np.mean(np.array(helped) > 0))
        print(f"    there the error is smaller by {np.mean(helped):.0f} mm a joint, at all {share:.2f}")
    for name, rows in told.items():
        count, right, beside = np.array(rows).T
        print(
            f"{name}: {len(rows)} runs put in, {int((right == count).sum())} put right, "
            f"{right.sum() / count.sum():.3f} of their frames; {int(beside.sum())} frames beside them too"
        )
