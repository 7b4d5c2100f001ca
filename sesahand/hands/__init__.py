"""The parametric hand: models, skinning, poses, gestures' angles, limits. No camera, no English."""
