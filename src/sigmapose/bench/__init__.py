"""Scorecards: what the software is worth on data it has never seen, beside others on the same frames."""
