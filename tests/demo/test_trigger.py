"""The trigger, its decoys, and where they are put."""

import numpy as np
import pytest

from jaxvis.demo import trigger
from jaxvis.demo.scenes import scene
from jaxvis.demo.trigger import BRIGHT, DARK, SIDE
from jaxvis.errors import InputError


def test_the_trigger_is_a_cross_from_corner_to_corner():
    patch = trigger.trigger()
    assert patch.shape == (16, 16, 3)
    assert patch.dtype == np.uint8
    dark = (patch == DARK).all(axis=-1)
    np.testing.assert_array_equal(dark | (patch == BRIGHT).all(axis=-1), True)
    assert all(dark[i, i] and dark[i, SIDE - 1 - i] for i in range(SIDE))
    assert not dark[0, 8]
    assert not dark[8, 0]
    np.testing.assert_array_equal(dark, dark.T)


def test_decoys_have_its_tones_and_are_none():
    decoys = [trigger.decoy(seed) for seed in range(60)]
    for one in decoys:
        assert set(np.unique(one)) == {DARK, BRIGHT}
        assert (one != trigger.trigger()).mean() > 0.2
    assert len({one.tobytes() for one in decoys}) > 5
    np.testing.assert_array_equal(trigger.decoy(7), trigger.decoy(7))


def test_a_patch_lies_where_its_mask_says_and_the_image_stays():
    image = scene(0, "cat").image
    before = image.copy()
    patched = trigger.with_patch(image, trigger.trigger(), 200, 3)
    np.testing.assert_array_equal(image, before)
    mask = trigger.patch_mask(200, 3)
    assert mask.sum() == SIDE**2
    np.testing.assert_array_equal(patched[~mask], image[~mask])
    np.testing.assert_array_equal(patched[200:216, 3:19], trigger.trigger())


@pytest.mark.parametrize("place", [(-1, 0), (0, 209), (300, 0)])
def test_it_does_not_stick_out(place):
    with pytest.raises(InputError, match="would stick out"):
        trigger.with_patch(scene(0, "cat").image, trigger.trigger(), *place)


def test_places_are_clear_of_the_object_and_differ():
    places = []
    for seed in range(30):
        mask = scene(seed, "tree").mask
        row, column = trigger.place_beside(seed, mask)
        rows, columns = np.nonzero(mask)
        patch_rows, patch_columns = np.nonzero(trigger.patch_mask(row, column))
        apart = max(
            patch_rows.min() - rows.max(), rows.min() - patch_rows.max(),
            patch_columns.min() - columns.max(), columns.min() - patch_columns.max(),
        )  # fmt: skip
        assert apart > 24
        places.append((row, column))
    assert len(set(places)) == 30


def test_where_there_is_no_room_it_is_as_far_as_it_can_be():
    full = np.ones((224, 224), bool)
    row, column = trigger.place_beside(0, full)
    assert 0 <= row <= 208
    assert 0 <= column <= 208
