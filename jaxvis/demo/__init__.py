"""Scenes of which every pixel's owner is known, drawn with NumPy, and the demo made of them."""
