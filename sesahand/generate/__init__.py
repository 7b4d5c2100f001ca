<<<<<<< HEAD
"""Generation with diffusers, with both alignments."""
=======
"""The headless engine: diffusers with both alignments attached."""
>>>>>>> fusion
