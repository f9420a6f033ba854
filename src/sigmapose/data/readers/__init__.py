"""Readers of public data sets, all behind `sigmapose.data.sample.Sample`."""
