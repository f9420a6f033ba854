"""Files in and out: pictures, videos, 2D keypoints of other tools, and `poses.json`."""
