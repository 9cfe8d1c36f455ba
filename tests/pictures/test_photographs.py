"""The photographs are those that the packages publish, found without importing them."""

import hashlib
import importlib.util

import numpy as np
import pytest

import jaxvis as jv
from jaxvis.pictures.photographs import FILES, REPORTED

# Of scikit-image, from its own list, skimage/data/_registry.py.
SHA256 = {
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "motorcycle_left.png": "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
}


def test_seven_photographs_five_of_which_are_reported():
    files = jv.photographs()
    assert [file.name for file in files[:REPORTED]] == list(SHA256)
    assert [file.name for file in files[REPORTED:]] == ["china.jpg", "flower.jpg"]
    for file in files[:REPORTED]:
        assert hashlib.sha256(file.read_bytes()).hexdigest() == SHA256[file.name]
    images = jv.load_images(files)
    assert images.shape == (7, 224, 224, 3)
    assert (images.std(axis=(1, 2)) > 10).all()  # in every channel: they are in colour
    assert all(np.ptp(image.astype(int), axis=2).max() > 40 for image in images)


@pytest.mark.parametrize("package", ["skimage", "sklearn"])
def test_one_command_brings_what_is_missing(package, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "jaxvis.packages.find_spec", lambda name: None if name == package else found(name)
    )
    name = next(file for owner, file in FILES if owner == package)
    with pytest.raises(jv.ImageError) as caught:
        jv.photographs()
    assert str(caught.value) == (
        f"{name}: the photographs are not installed; one command brings them: python3 -m pip "
        "install 'jaxvis[photos]' (in a checkout of jaxvis: '.[photos]')"
    )
