"""A posed 3D hand for the landmarks of each hand, by least squares."""
