"""Post hoc calibration: what turns a network's covariance into one whose regions hold what they promise."""
