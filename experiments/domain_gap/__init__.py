"""How far renders are from real pictures, for the pose encoder."""
