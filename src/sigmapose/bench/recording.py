"""True joints of one camera of a calibrated recording, from what the other cameras saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sigmapose.bench import pose2sim
from sigmapose.bench.peers import file_hash
from sigmapose.errors import DataError
from sigmapose.io.predictions import Predictions3D
from sigmapose.skeleton import COCO_17

TEST_RECORDINGS = ("fd90e4bbae3278ef",)
"""Calibration files of recordings that are benchmarks (`peers.file_hash`)."""


def recording_truth(folder: Path, camera: str | None) -> Predictions3D:
    """Triangulated joints in the axes of one camera, of every frame, as `coco_17`; NaN where not sure.

    Frames are named by their number from 0.

    Raises:
        DataError: no such camera, not such a recording, or one that is test data.
    """
    demo = pose2sim.find_demo(folder)
    if any(file_hash(file) in TEST_RECORDINGS for file in demo.glob("calibration/*.qca.txt")):
        raise DataError(
            f"'{folder}' is the recording of `sigmapose bench pose2sim`: test data, never for calibration"
        )
    protocol = pose2sim.load_protocol(folder)
    if camera not in protocol.names:
        raise DataError(f"--camera {camera}: choose the one of the predictions: {', '.join(protocol.names)}")
    index = protocol.names.index(camera)
    joints = np.full((protocol.frames, len(COCO_17), 3), np.nan)
    true = np.where(protocol.used[index][..., None], protocol.truth_mm[index], np.nan)
    joints[:, [COCO_17.index(name) for name in pose2sim.JOINTS]] = true
    frames = tuple(str(k) for k in range(protocol.frames))
    return Predictions3D(frames, ("",) * len(frames), COCO_17, joints)
