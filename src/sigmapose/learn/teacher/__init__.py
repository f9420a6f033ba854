"""Teachers: networks and geometry with fixed weights that say what images nobody annotated show."""
