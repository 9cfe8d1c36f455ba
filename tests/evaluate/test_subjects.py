"""The images of an evaluation, beside scenes drawn one by one."""

import numpy as np
import pytest
from PIL import Image

import jaxvis as jv
from jaxvis import evaluate as ev
from jaxvis.demo.images import demo_images
from jaxvis.demo.scenes import CLASSES, GEESE, held_out, held_out_pairs
from jaxvis.evaluate.subjects import masks_of, predicted


@pytest.fixture(scope="module")
def network():
    """It knows the scenes' classes, in another order than theirs."""
    return jv.VGG16(width=1 / 64, classes=len(CLASSES), labels=CLASSES[::-1])


def test_scenes_with_their_masks_classes_and_seeds(network):
    found = ev.scene_subjects(network, 3)
    for i, (seed, name) in enumerate(held_out(3)):
        scene = jv.scene(seed, name)
        np.testing.assert_array_equal(found.images[i], scene.image)
        np.testing.assert_array_equal(found.masks[i], scene.mask)
        assert (found.names[i], found.seeds[i]) == (f"{name} {seed}", seed)
        assert CLASSES[::-1][found.classes[i]] == name
    geese = ev.scene_subjects(network, 2, class_name="goose")
    for i, (seed, _) in enumerate(held_out(2)):
        np.testing.assert_array_equal(geese.images[i], jv.scene(seed, "goose").image)
    assert set(geese.classes) == {len(CLASSES) - 1}


@pytest.mark.parametrize("first", [None, "cat"])
def test_pairs_are_asked_for_each_of_their_objects(network, first):
    asked = ev.pair_subjects(network, 3, class_name=first)
    for i, (seed, *names) in enumerate(held_out_pairs(3, first)):
        drawn = jv.two_objects(seed, *names)
        assert first in (None, names[0])
        for found, name, mask in zip(asked, names, drawn.masks, strict=True):
            np.testing.assert_array_equal(found.images[i], drawn.image)
            np.testing.assert_array_equal(found.masks[i], mask)
            assert (found.names[i], found.seeds[i]) == (f"{name} {seed}", seed)
            assert CLASSES[::-1][found.classes[i]] == name


def test_scenes_that_cannot_be_asked_about(network, narrow):
    for ask in (ev.scene_subjects, ev.pair_subjects):
        with pytest.raises(ValueError, match="0 scenes are asked for; wanted at least 1"):
            ask(network, 0)
        with pytest.raises(ValueError, match="the network has no class aeroplane, boat"):
            ask(narrow, 1)
        small = jv.VGG16(width=1 / 64, classes=12, labels=CLASSES, size=32)
        with pytest.raises(ValueError, match=r"reads \(32, 32\) pixels; scenes have 224 x 224"):
            ask(small, 1)


def test_the_demos_own_images_have_masks_and_others_none(tmp_path):
    files = list(demo_images())
    masks = masks_of(files[::-1], (224, 224), None)
    wanted = [jv.scene(seed, "goose").mask for seed in GEESE[::-1]]
    np.testing.assert_array_equal(masks, wanted)
    assert masks_of(files, (64, 64), None) is None
    other = tmp_path / "other.png"
    Image.new("RGB", (224, 224)).save(other)
    assert masks_of([files[0], other], (224, 224), None) is None


def test_files_are_explained_for_what_the_network_says_of_each(narrow, tmp_path, rng):
    pictures = rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    found = ev.file_subjects(narrow, tmp_path)
    np.testing.assert_array_equal(found.images, pictures)
    assert found.names == ["0.png", "1.png", "2.png"]
    logits = np.asarray(narrow(jv.preprocess(pictures)))
    np.testing.assert_array_equal(found.classes, logits.argmax(axis=1))
    assert found.masks is None
    for batch in (1, 2, 3):
        described = jv.describe(narrow, size=(64, 64), preprocess=jv.preprocess)
        np.testing.assert_array_equal(predicted(described, pictures, batch), found.classes)
    assert ev.file_subjects(narrow, tmp_path, class_name="2").classes.tolist() == [2, 2, 2]


def test_a_slice_has_all_that_belongs_to_its_images(subjects):
    part = subjects.slice(1, 3)
    assert (part.names, part.seeds) == (["b", "c"], [8, 9])
    for name in ("images", "classes", "masks"):
        np.testing.assert_array_equal(getattr(part, name), getattr(subjects, name)[1:])
    assert subjects.first(2).names == ["a", "b"]
    assert subjects._replace(masks=None).first(2).masks is None
