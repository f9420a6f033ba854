"""What people look at: the annotated picture or video and the offline 3D page."""
