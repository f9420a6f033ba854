"""People in video, smoothed in time by what each frame says of its own uncertainty."""
