"""Samples we make: rendered people of exact truth, and photos of people with things pasted in front."""
