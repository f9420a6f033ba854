"""Recorded motion: BVH, ASF/AMC and DeepMimic clips, and their joint namings."""
