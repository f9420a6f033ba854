"""Teachers that were tried and that `sigmapose train` does not use."""
