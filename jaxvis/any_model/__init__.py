"""The same for a function whose code is not ours: its ReLUs found, replaced, and a place to cut."""
