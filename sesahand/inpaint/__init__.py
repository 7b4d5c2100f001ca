"""Repainting a part of a picture: cutting it out at the size a model paints best, and laying it back."""
