"""Learning: networks, what they learn from, training, teachers, conversion; needs torch."""
