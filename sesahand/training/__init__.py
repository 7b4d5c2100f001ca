"""Training: ControlNets with structural fusion on a frozen base, and the small model from nothing."""
