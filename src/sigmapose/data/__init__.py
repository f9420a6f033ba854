"""Samples: their types, splits and shards, readers of data sets, joints seen by several cameras; no torch."""
