"""Parametric hands: models, poses, scenes."""
