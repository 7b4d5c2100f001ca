"""How the method lands on ComfyUI's MODEL and CONTROL_NET: closures and proxies, never a change to a loaded model."""
