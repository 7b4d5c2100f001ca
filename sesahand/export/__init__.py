"""Hands as files for 3D programs: rigged and posed GLB, OBJ and PLY."""
