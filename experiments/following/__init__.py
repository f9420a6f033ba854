"""How well people are followed behind things, on clips made from training data."""
