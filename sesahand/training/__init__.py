"""Training: configuration, loop, losses and checkpoints, for ControlNets and the small model."""
