"""What the smoother of videos assumes, measured, and what it gains."""
