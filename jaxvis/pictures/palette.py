"""In which colours a map is drawn where nobody has asked for any; it is decided here alone."""

# Matplotlib's name, or some RGB, each in [0, 1], between which the colours run.
Colours = str | tuple[tuple[float, float, float], ...]

LAB = "jet"  # what the lab draws in: uneven, for its yellow and its turquoise look like edges
EVEN = "inferno"  # equal steps of a map look equally large, in shades of grey as well
DIVERGING = "RdBu_r"  # of both signs: 0 is white, red is above it, blue below


def colormap_for(asked: str | None = None, *, lab: bool = False, signed: bool = False) -> str:
    """Return Matplotlib's name of the colours of a map.

    Args:
        asked: what the user has asked for, which holds for every map; None for nothing.
        lab: whether the map is one of the lab's, which are drawn in its `jet`.
        signed: whether values below 0 are shown, so that 0 has the middle of the colours.
    """
    if asked is not None:
        return asked
    if signed:
        return DIVERGING
    return LAB if lab else EVEN


def in_words(colours: Colours) -> str:
    """Return what a report calls some colours: 'jet', or from #ff0000 over #ffffff to #008000."""
    if isinstance(colours, str):
        return f"'{colours}'"
    first, *between, last = ("#" + "".join(f"{round(255 * c):02x}" for c in rgb) for rgb in colours)
    return " ".join(["from", first, *(f"over {one}" for one in between), "to", last])
