"""From pictures back to hands: finding them, fitting a 3D hand to them, and saying how well it matches."""
