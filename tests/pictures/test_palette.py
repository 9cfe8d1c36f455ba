"""Which colours nobody has to ask for, and whether they are what they are chosen for."""

import matplotlib
import numpy as np
import pytest

from jaxvis.pictures.palette import DIVERGING, EVEN, LAB, colormap_for, in_words


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("lab", [False, True])
def test_what_is_asked_for_holds_then_signs_then_the_lab(lab, signed):
    assert colormap_for("cividis", lab=lab, signed=signed) == "cividis"
    wanted = "RdBu_r" if signed else "jet" if lab else "inferno"
    assert colormap_for(lab=lab, signed=signed) == wanted
    assert (LAB, EVEN, DIVERGING) == ("jet", "inferno", "RdBu_r")


def lightness(name):
    """CIE L* of a colour map's 256 colours, from sRGB (IEC 61966-2-1), under its own white."""
    rgb = matplotlib.colormaps[name](np.arange(256))[:, :3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)


def test_equal_steps_look_equal_in_the_even_colours_and_not_in_the_lab_s():
    steps = {name: np.diff(lightness(name)) for name in (EVEN, LAB)}
    assert steps[EVEN].min() > 0
    # Even in CAM02-UCS, by which it was made; L* differs from that where it is dark.
    assert steps[EVEN].std() < 0.2 * steps[EVEN].mean()
    assert (steps[LAB] < 0).mean() > 0.3  # it grows lighter, and darker again


def test_diverging_colours_are_white_in_the_middle_and_as_dark_at_both_ends():
    rgb = matplotlib.colormaps[DIVERGING](np.arange(256))[:, :3]
    assert np.ptp(rgb[127:129], axis=1).max() < 0.02
    assert rgb[127:129].min() > 0.95
    light = lightness(DIVERGING)
    assert np.diff(light[:127]).min() > 0 > np.diff(light[129:]).max()
    assert abs(light[0] - light[-1]) < 5
    assert rgb[-1, 0] > 2 * rgb[-1, 2]  # red above 0
    assert rgb[0, 2] > 2 * rgb[0, 0]  # blue below


def test_in_words():
    assert in_words("jet") == "'jet'"
    found = in_words(((1, 0, 0), (1, 1, 1), (0, 0.5, 0)))
    assert found == "from #ff0000 over #ffffff to #008000"
