"""A job from its input to its files: what the command line and the page call."""
