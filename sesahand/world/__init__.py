"""The rendered world: training pictures of hands with everything true about them, and its words."""
