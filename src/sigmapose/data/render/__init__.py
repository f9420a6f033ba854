"""Rendered pictures: cameras, surfaces, scenes, occluders, camera faults."""
