"""3D human pose from one picture or video, with calibrated error bars."""

__version__ = "0.1.0"
