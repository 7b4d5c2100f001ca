"""The figures by which the field judges hands and pictures of them, each with its definition and source.

Points are in metres, as everywhere in this library; errors come back in millimetres, as the field reports them.
`found` is what is judged, `reference` what it should be. Nothing is averaged over the samples of a batch, except where
the figure is defined on a set (AUC, FID): take the mean of what comes back.
"""
