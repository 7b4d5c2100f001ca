"""How well the hands of a picture are those that were asked for, and what to do about it."""
