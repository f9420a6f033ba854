"""Training: networks, losses, recipes and export. Needs the ``train`` extra (torch)."""
