"""The steps of `sigmapose train`: each writes a folder and makes only what is missing in it."""
