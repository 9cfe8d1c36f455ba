"""The kinds of files that figures are saved as, and what a figure's file is called."""

SAVED = ("png", "jpg", "svg", "pdf")
ASKED_FOR = ("png", "svg", "pdf")  # png: as pixels, which are JPEG where photographs show in full


def figure_name(name: str, kind: str, photographs: bool) -> str:
    """Return the name of a figure's file: `kind` of ASKED_FOR, `photographs` whether they show."""
    return f"{name}.{'jpg' if kind == 'png' and photographs else kind}"
