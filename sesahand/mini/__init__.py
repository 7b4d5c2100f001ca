"""The project's own small model: a narrow Stable Diffusion that diffusers and ComfyUI both run."""
