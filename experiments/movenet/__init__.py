"""MoveNet Thunder, a second opinion in the picture plane."""
