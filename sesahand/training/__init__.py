"""The engine room: rendered training data, the judge that reads pictures, and training."""
