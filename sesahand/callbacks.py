"""What long work calls while it is under way."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is. What it raises, such as KeyboardInterrupt, ends the work."""
