"""Losses, recipes and loops that train a head, or an encoder with its head."""
