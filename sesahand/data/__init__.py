"""Image-mesh pairs: pictures with the hands in them, in a folder that grows safely, and the formats of others."""
