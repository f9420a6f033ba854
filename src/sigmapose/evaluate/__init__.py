"""Metrics of poses and of their stated uncertainty, and intervals for both. Nothing here sees an image."""
