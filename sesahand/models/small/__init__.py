"""The project's own small latent diffusion model: its layout, networks, vocabulary and files."""
