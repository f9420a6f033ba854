"""Posed bodies: the body model, retargeting, invented poses, corpora."""
