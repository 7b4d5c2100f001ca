"""Hands before a camera: scenes, placing, masks and boxes, and the files they are kept in."""
