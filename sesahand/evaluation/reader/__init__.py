"""The network that reads pictures of the rendered world: what hand, what words, what scene."""
