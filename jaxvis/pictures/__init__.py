"""Image files in, colours and figures out; NumPy, Pillow and Matplotlib, never JAX."""
