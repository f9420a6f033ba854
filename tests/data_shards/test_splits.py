"""Splits are decided by who moved."""

from __future__ import annotations

from sigmapose.data.splits import Split, split_of, unit_of


def test_parts_of_a_series_are_units_of_their_own() -> None:
    """The dances are one series in two splits: naming the series would accuse a calibrator falsely."""
    assert split_of("salsa_12", "salsa") is Split.CALIBRATION and unit_of("salsa_12", "salsa") == "salsa_1"
    assert split_of("salsa_21", "salsa") is Split.TEST and unit_of("salsa_21", "salsa") == "salsa_2"
    assert split_of("35_01", "35") is Split.TEST and unit_of("35_01", "35") == "35"
