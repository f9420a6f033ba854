"""3D human pose from one ordinary camera, with error bars.

    import sigmapose
    est = sigmapose.load()
    poses = est(image_rgb)

Camera frame: x right, y down, z forward, millimetres. Pixel (0, 0) is the centre of the top-left pixel.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
"""As `typing` has it, whose import takes longer than all the rest of this file."""

# ONNX Runtime 1.32 writes a device id below the user's cache and asks for a telemetry host unless this is set
# before its import; `disable_telemetry_events()` comes too late.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sigmapose.calibrator import Calibrator as Calibrator
    from sigmapose.camera import Camera as Camera
    from sigmapose.errors import SigmaposeError as SigmaposeError
    from sigmapose.estimate.api import lift as lift
    from sigmapose.estimate.api import lift_batch as lift_batch
    from sigmapose.estimate.api import load as load
    from sigmapose.estimate.assemble import PoseBatch as PoseBatch
    from sigmapose.estimate.body_size import BodySize as BodySize
    from sigmapose.estimate.estimator import Estimator as Estimator
    from sigmapose.estimate.smooth.online import OnlineSmoother as OnlineSmoother
    from sigmapose.io.export.data_frame import to_dataframe as to_dataframe
    from sigmapose.io.export.formats import export as export
    from sigmapose.io.poses_json import read_poses as read_poses
    from sigmapose.measurement.series import Measurements as Measurements
    from sigmapose.measurement.series import measure as measure
    from sigmapose.pose import Frame as Frame
    from sigmapose.pose import Interval as Interval
    from sigmapose.pose import Pose as Pose

_HOME = {
    "BodySize": "sigmapose.estimate.body_size",
    "Calibrator": "sigmapose.calibrator",
    "Camera": "sigmapose.camera",
    "Estimator": "sigmapose.estimate.estimator",
    "Frame": "sigmapose.pose",
    "Interval": "sigmapose.pose",
    "Measurements": "sigmapose.measurement.series",
    "OnlineSmoother": "sigmapose.estimate.smooth.online",
    "Pose": "sigmapose.pose",
    "PoseBatch": "sigmapose.estimate.assemble",
    "SigmaposeError": "sigmapose.errors",
    "export": "sigmapose.io.export.formats",
    "lift": "sigmapose.estimate.api",
    "lift_batch": "sigmapose.estimate.api",
    "load": "sigmapose.estimate.api",
    "measure": "sigmapose.measurement.series",
    "read_poses": "sigmapose.io.poses_json",
    "to_dataframe": "sigmapose.io.export.data_frame",
}
__all__ = [
    "BodySize",
    "Calibrator",
    "Camera",
    "Estimator",
    "Frame",
    "Interval",
    "Measurements",
    "OnlineSmoother",
    "Pose",
    "PoseBatch",
    "SigmaposeError",
    "__version__",
    "export",
    "lift",
    "lift_batch",
    "load",
    "measure",
    "read_poses",
    "to_dataframe",
]


def __getattr__(name: str) -> object:
    """Loads the room of a public name on first use, so that ``import sigmapose`` costs nothing."""
    if name in _HOME:
        from importlib import import_module

        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sigmapose' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
