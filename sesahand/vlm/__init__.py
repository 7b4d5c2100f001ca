"""Captioners: something that looks at a picture, or reads a text, and answers in words."""
