"""Streams: what is stored is what `explain` returns of each image, however a run ended."""

import itertools
import json
import shutil

import jax
import numpy as np
import pytest
from PIL import Image
from small import CLASSES, SIZE, forward, network, preprocess, weights

import jaxvis as jv
from jaxvis.streaming import layout, run, store
from jaxvis.streaming.loop import BEHIND
from jaxvis.streaming.processes import Process

pytest.importorskip("grain")
COUNT, BATCH = 11, 2  # the last batch is not full


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(3)
    made = tmp_path_factory.mktemp("images")
    for number in range(COUNT):
        pixels = rng.integers(0, 256, (33 + number, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(made / f"a{number}.png")
    return made


@pytest.fixture(scope="module")
def net():
    return network()


@pytest.fixture(scope="module")
def wanted(folder, net):
    """What the plain call returns of every image by itself: nothing of batches in it."""
    x = net.preprocess(jv.load_images(folder, SIZE, resample="bilinear"))

    def explained(classes=None, **options):
        each = [
            jv.explain(net.model, x[i : i + 1], None if classes is None else classes[i : i + 1],
                       layer=net.layer, **options)
            for i in range(COUNT)
        ]  # fmt: skip
        return jax.tree.map(lambda *arrays: np.concatenate(arrays), *each)

    return explained


def close(found, expected, share=1e-5):
    assert list(found) == list(expected)
    np.testing.assert_allclose(found.logits, expected.logits, atol=1e-5)
    for name, array in expected.items():
        np.testing.assert_allclose(
            found[name], array, atol=share * np.abs(array).max(), err_msg=str(name)
        )


def equal(one, other):
    """Two stores of the same maps: all files but the group's are the same to the byte."""
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file())
    for name in files:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_files(folder, net, wanted, tmp_path):
    maps = jv.stream(net, folder, tmp_path / "m.zarr", batch=BATCH)
    assert maps.names == [f"a{i}.png" for i in range(COUNT)]
    assert (len(maps), maps.missing, maps.broken) == (COUNT, 0, {})
    close(maps.maps(), wanted())
    np.testing.assert_array_equal(maps.classes(), wanted().logits.argmax(axis=1))
    images = jv.load_images(folder, SIZE, resample="bilinear")
    np.testing.assert_array_equal(maps.images(), images)
    np.testing.assert_array_equal(maps.images(np.array([7, 2])), images[[7, 2]])
    some = maps.maps(slice(3, 6))
    np.testing.assert_array_equal(some.grad_cam["guided"], maps.maps().grad_cam["guided"][3:6])
    assert f"{COUNT} images" in repr(maps)


@pytest.mark.parametrize("classes", [3, "kind 3", "3"])
def test_one_class(folder, net, wanted, tmp_path, classes):
    maps = jv.stream(net, folder, tmp_path / "m.zarr", classes=classes, batch=BATCH)
    close(maps.maps(), wanted(np.full(COUNT, 3)))
    assert (maps.classes() == 3).all()


def test_the_best_classes(folder, net, wanted, tmp_path):
    maps = jv.stream(net, folder, tmp_path / "m.zarr", classes="top3", batch=BATCH)
    best = np.argsort(-wanted().logits, axis=1, kind="stable")[:, :3]
    np.testing.assert_array_equal(maps.classes(), best)
    close(maps.maps(), wanted(best))
    close(maps.maps(rank=1), wanted(best[:, 1]))
    np.testing.assert_array_equal(maps.classes(rank=2), best[:, 2])


def test_methods_rules_and_signs(folder, net, wanted, tmp_path):
    options = {"methods": ["input_x_gradient", "occlusion"], "rules": ["guided"], "signed": True}
    maps = jv.stream(net, folder, tmp_path / "m.zarr", batch=BATCH, **options)
    close(maps.maps(), wanted(**options))
    assert (maps.maps()["input_x_gradient", "guided"] < 0).any()
    mine = {"mine": jv.Rule(True, False)}
    maps = jv.stream(net, folder, tmp_path / "n.zarr", batch=BATCH, rules=mine)
    close(maps.maps(), wanted(rules=mine))


def test_half_precision_keeps_the_smallest_gradients(folder, tmp_path):
    """Of a network whose gradients float16 would round to nothing."""
    net = network(scale=1e-6)
    whole = jv.stream(net, folder, tmp_path / "a.zarr", batch=BATCH).maps()
    half = jv.stream(net, folder, tmp_path / "b.zarr", batch=BATCH, dtype="float16").maps()
    assert np.float16(whole.saliency["guided"].max()) < 2e-5
    for name, array in whole.items():
        share = 2.0**-11 if name.method == "saliency" else 0
        limit = share * np.abs(array).max(axis=(1, 2), keepdims=True)
        assert (np.abs(half[name] - array) <= limit).all()
        assert half[name].dtype == np.float32


def test_halved_values():
    rows = np.float32([[0, 0], [3e-39, -1e-39], [1, -0.3], [np.inf, 1], [np.nan, 2], [7e8, 1e3]])
    stored, exponent = layout.halved(rows, (1,))
    assert stored.dtype == np.float16
    found = layout.whole_values(stored, exponent)
    largest = np.abs(rows[[0, 1, 2, 5]]).max(axis=1, keepdims=True)
    apart = np.abs(found[[0, 1, 2, 5]] - rows[[0, 1, 2, 5]])
    assert (apart <= 2.0**-11 * largest).all()
    assert found[3, 0] == np.inf
    assert np.isnan(found[4, 0])
    assert exponent[0] == 0


def test_a_source_of_ones_own(folder, net, wanted, tmp_path, rng):
    """Any iterable, of known length or not; its images are kept, since nobody else has them."""
    images = jv.load_images(folder, SIZE, resample="bilinear")
    pairs = [(f"näme {i}", image) for i, image in enumerate(images)]
    listed = jv.stream(net, pairs, tmp_path / "a.zarr", batch=BATCH)
    yielded = jv.stream(net, iter(pairs), tmp_path / "b.zarr", batch=BATCH)
    for maps in (listed, yielded):
        assert len(maps) == COUNT
        assert maps.names == [name for name, _ in pairs]
        assert maps.folder is None
        np.testing.assert_array_equal(maps.images(), images)
        close(maps.maps(), wanted())
    large = rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)
    (found,) = jv.stream(net, [("large", large)], tmp_path / "c.zarr", batch=BATCH).images()
    expected = Image.fromarray(large).resize(SIZE[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(found, np.asarray(expected))
    with pytest.raises(jv.InputError, match="wanted some that are"):
        listed.files()


def test_a_source_that_has_become_longer(folder, net, wanted, tmp_path):
    images = jv.load_images(folder, SIZE, resample="bilinear")
    pairs = [(f"{i}", image) for i, image in enumerate(images)]
    for count in (1, 2, 9, COUNT):
        maps = jv.stream(net, iter(pairs[:count]), tmp_path / "a.zarr", batch=BATCH)
        assert (len(maps), maps.missing) == (count, 0)
    close(maps.maps(), wanted())
    assert maps.names == [name for name, _ in pairs]
    with pytest.raises(jv.InputError, match="image 1 was 1 .* and now it is other"):
        jv.stream(net, iter([pairs[0], ("other", images[1])]), tmp_path / "a.zarr", batch=BATCH)


def test_an_address_in_the_place_of_a_path(folder, net, tmp_path):
    """What TensorStore knows, a bucket say; here the one kind that is at hand."""
    address = f"file://{tmp_path}/m.zarr"
    jv.stream(net, folder, tmp_path / "n.zarr", batch=BATCH)
    maps = jv.stream(net, folder, address, batch=BATCH)
    assert jv.stream(net, folder, address, batch=BATCH).missing == 0
    equal(tmp_path / "m.zarr", tmp_path / "n.zarr")
    np.testing.assert_array_equal(
        jv.open_maps(address).maps().logits, jv.open_maps(tmp_path / "n.zarr").maps().logits
    )
    assert maps.names == jv.open_maps(address).names


def test_lists_of_files(folder, net, tmp_path):
    listed = tmp_path / "some.txt"
    shutil.copytree(folder, tmp_path / "images")
    listed.write_text("images/a7.png\n\nimages/a1.png\n", encoding="utf-8")
    maps = jv.stream(net, listed, tmp_path / "m.zarr", batch=BATCH)
    assert maps.names == ["a7.png", "a1.png"]
    both = jv.stream(net, [listed, folder / "a2.png"], tmp_path / "n.zarr", batch=BATCH)
    assert both.files() == [
        tmp_path / "images/a7.png",
        tmp_path / "images/a1.png",
        folder / "a2.png",
    ]
    listed.write_text("\n")
    with pytest.raises(jv.ImageError, match="no image is listed"):
        jv.stream(net, listed, tmp_path / "o.zarr")


def test_other_programs_read_it(folder, net, tmp_path):
    zarr, xarray = pytest.importorskip("zarr"), pytest.importorskip("xarray")
    place = tmp_path / "m.zarr"
    maps = jv.stream(net, folder, place, classes="top2", dtype="float16", batch=BATCH)
    group = zarr.open(place, mode="r")
    np.testing.assert_array_equal(group["grad_cam_guided"][:], maps.maps().grad_cam["guided"])
    assert group.attrs["names"] == maps.names
    assert group.attrs["settings"]["weights"] == maps.settings["weights"]
    assert group.attrs["broken"] == {}
    data = xarray.open_zarr(place, consolidated=False)
    assert data["saliency_guided"].dims == ("image", "rank", "row", "column")
    assert data["grad_cam_guided"].dims == ("image", "rank", "layer_row", "layer_column")
    whole = data["saliency_guided"].astype("float32") * 2.0 ** data["saliency_guided_exponent"]
    np.testing.assert_array_equal(whole.values, maps.maps().saliency["guided"])
    np.testing.assert_array_equal(data["class"].values, maps.classes())


def interrupted(monkeypatch, steps):
    """Let the disk take so many writes of arrays, and then the run ends as a kill would end it."""
    left = [steps]
    real = store.Store.write

    class Killed(BaseException):
        pass

    def write(self, start, values, state):
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        pending = real(self, start, values, state)
        if left[0] == 0:  # the data are there, and their state is not
            for one in pending._data:
                one.result()
            raise Killed
        return pending

    monkeypatch.setattr(store.Store, "write", write)
    return Killed


def test_a_run_that_was_killed_goes_on(folder, net, tmp_path, monkeypatch):
    """Also between a batch's data and the note that it is there; the result is the same bits."""
    jv.stream(net, folder, tmp_path / "whole.zarr", batch=BATCH)
    for steps in range(1, 6):
        place = tmp_path / f"{steps}.zarr"
        with monkeypatch.context() as patch, pytest.raises(interrupted(patch, steps)):
            jv.stream(net, folder, place, batch=BATCH)
        assert jv.open_maps(place).missing > 0
        done = []
        assert (jv.open_maps(place).missing < COUNT) == (steps > BEHIND + 1)
        jv.stream(net, folder, place, batch=BATCH, progress=done.append)
        assert done[-1].done == COUNT
        equal(place, tmp_path / "whole.zarr")


def test_what_is_done_is_not_done_again(folder, net, tmp_path, monkeypatch):
    jv.stream(net, folder, tmp_path / "m.zarr", batch=BATCH)
    seen = []
    jv.stream(net, folder, tmp_path / "m.zarr", batch=BATCH, progress=seen.append)
    assert seen == []
    assert jv.stream(net, folder, tmp_path / "m.zarr").missing == 0  # "auto" takes what was chosen


CHANGES = [
    ({"methods": ["saliency"]}, "begun with methods saliency, grad_cam, and now it is saliency"),
    ({"rules": ["guided"]}, "begun with rules"),
    ({"dtype": "float16"}, "begun with dtype float32, and now it is float16"),
    ({"classes": 2}, "begun with classes predicted, and now it is 2"),
    ({"classes": "top2"}, "begun with classes predicted, and now it is top2"),
    ({"resample": "nearest"}, "begun with resample bilinear, and now it is nearest"),
    ({"layer": 0}, "begun with layer"),
    ({"signed": True}, "begun with signed False, and now it is True"),
    ({"batch": 3}, "begun with batches of 2, and now they are 3"),
    ({"keep_images": True}, "begun with images kept False"),
]


def test_other_settings_are_refused(folder, net, tmp_path):
    place = tmp_path / "m.zarr"
    jv.stream(net, folder, place, batch=BATCH)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    for change, message in CHANGES:
        with pytest.raises(jv.InputError, match=message):
            jv.stream(net, folder, place, **{"batch": BATCH, **change})
    ours = jv.VGG16(width=1 / 64, classes=7, size=32, precision="high")
    jv.stream(ours, folder, tmp_path / "vgg.zarr", batch=COUNT, methods=["grad_cam"])
    other = jv.VGG16(width=1 / 64, classes=7, size=32, precision="highest")
    with pytest.raises(jv.InputError, match="begun with precision high, and now it is highest"):
        jv.stream(other, folder, tmp_path / "vgg.zarr", batch=COUNT, methods=["grad_cam"])
    with pytest.raises(jv.InputError, match="begun with weights"):
        jv.stream(network(seed=1), folder, place, batch=BATCH)
    other = tmp_path / "others"
    other.mkdir()
    shutil.copy(folder / "a0.png", other / "b.png")
    with pytest.raises(jv.InputError, match="begun with other images, a0.png for one"):
        jv.stream(net, other, place, batch=BATCH)
    with pytest.raises(jv.InputError, match="images that are no files|with images kept"):
        jv.stream(net, [("a", np.zeros((40, 40, 3), np.uint8))], place, batch=BATCH)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_the_same_weights_in_other_code_are_refused(folder, net, tmp_path, monkeypatch):
    """No setting tells that a network's own code has changed; its logits do."""
    place = tmp_path / "m.zarr"
    with monkeypatch.context() as patch, pytest.raises(interrupted(patch, 4)):
        jv.stream(net, folder, place, batch=BATCH)
    changed = network(scale=1.01)
    assert jax.tree.all(
        jax.tree.map(np.array_equal, jax.tree.leaves(changed.model), jax.tree.leaves(net.model))
    )
    with pytest.raises(jv.InputError, match="gave other logits than they do now"):
        jv.stream(changed, folder, place, batch=BATCH)
    assert jv.stream(net, folder, place, batch=BATCH).missing == 0


def test_broken_and_vanished_images(folder, net, wanted, tmp_path, monkeypatch):
    copy, place = tmp_path / "images", tmp_path / "m.zarr"
    shutil.copytree(folder, copy)
    (copy / "a5.png").write_bytes((folder / "a5.png").read_bytes()[:60])

    real = run.read_batches

    def late(  # listed, and gone when it is to be read
        files, *arguments, **options
    ):
        (copy / "a9.png").unlink(missing_ok=True)
        return real(files, *arguments, **options)

    monkeypatch.setattr(run, "read_batches", late)
    maps = jv.stream(net, copy, place, batch=BATCH)
    monkeypatch.undo()
    assert sorted(maps.broken) == ["a5.png", "a9.png"]
    assert "no such file" in maps.broken["a9.png"]
    found, expected = maps.maps(), wanted()
    good = [0, 1, 2, 3, 4, 6, 7, 8, 10]
    np.testing.assert_array_equal(maps.done, good)
    for name, array in expected.items():
        assert np.isnan(found[name][[5, 9]]).all()
        np.testing.assert_allclose(found[name][good], array[good], atol=1e-5 * array.max())
    attributes = json.loads((place / "zarr.json").read_text())["attributes"]
    assert attributes["broken"] == maps.broken
    shutil.copy(folder / "a5.png", copy)  # mended: the next run takes it
    shutil.copy(folder / "a9.png", copy)
    maps = jv.stream(net, copy, place, batch=BATCH)
    assert maps.broken == {}
    close(maps.maps(), expected)


def test_a_folder_that_grows_or_shrinks(folder, net, wanted, tmp_path, monkeypatch):
    copy, place = tmp_path / "images", tmp_path / "m.zarr"
    shutil.copytree(folder, copy)
    with monkeypatch.context() as patch, pytest.raises(interrupted(patch, 4)):
        jv.stream(net, copy, place, batch=BATCH)
    shutil.copy(folder / "a1.png", copy / "a00.png")  # would be the second
    (copy / "a8.png").unlink()
    maps = jv.stream(net, copy, place, batch=BATCH)
    assert maps.names == [f"a{i}.png" for i in range(COUNT)]
    assert [*maps.broken] == ["a8.png"]
    array = wanted().grad_cam["guided"]
    np.testing.assert_allclose(
        np.delete(maps.maps().grad_cam["guided"], 8, axis=0), np.delete(array, 8, axis=0),
        atol=1e-5 * array.max(),
    )  # fmt: skip


def test_processes_share_out_the_batches(folder, net, tmp_path):
    """Each does its part, in whatever order, and together they write what one would."""
    jv.stream(net, folder, tmp_path / "one.zarr", batch=BATCH)
    place = tmp_path / "two.zarr"
    first = jv.stream(net, folder, place, batch=BATCH, process=Process(0, 2))
    assert first.state().tolist() == [1, 1, 0, 0] * 2 + [1, 1, 0]
    jv.stream(net, folder, place, batch="auto", process=Process(1, 2))
    equal(place, tmp_path / "one.zarr")
    with pytest.raises(jv.InputError, match="several processes share out images whose number"):
        jv.stream(net, iter([]), tmp_path / "n.zarr", process=Process(0, 2))


def test_it_reads_ahead_and_says_how_long_it_waited(net, tmp_path):
    """A slow source: nearly all of the time is spent waiting; a quick one: hardly any."""
    import time

    pairs = [(f"{i}", np.full((*SIZE, 3), i, np.uint8)) for i in range(24)]

    def slowly():
        for pair in pairs:
            time.sleep(0.05)
            yield pair

    at = []
    jv.stream(net, slowly(), tmp_path / "warm.zarr", batch=4)
    jv.stream(net, slowly(), tmp_path / "a.zarr", batch=4, progress=at.append)
    assert at[-1].waiting > 0.5 * 24 * 0.05
    assert at[-1].waiting <= at[-1].seconds


def test_memory_does_not_grow_with_the_images(net, tmp_path):
    """What is held at once: the batches read ahead, computed and written, and no more."""
    alive, most = set(), [0]

    class Counted(np.ndarray):
        def __del__(self):
            alive.discard(id(self))

    def yielded():
        for i in range(200):
            image = np.zeros((*SIZE, 3), np.uint8).view(Counted)
            alive.add(id(image))
            most[0] = max(most[0], len(alive))
            yield f"{i}", image

    jv.stream(net, yielded(), tmp_path / "m.zarr", batch=2)
    assert most[0] < 40


def test_errors_come_before_anything_is_written(folder, net, tmp_path):
    for given, message in [
        ({"classes": "goose"}, "unknown|goose"),
        ({"classes": CLASSES}, "class index 7 is out of range"),
        ({"classes": "top9"}, "wanted from top1 to top7"),
        ({"classes": "top0"}, "wanted from top1"),
        ({"dtype": "int8"}, "dtype is 'int8'"),
        ({"batch": 0}, "batch is 0"),
        ({"batch": True}, "batch is True"),
        ({"resample": "odd"}, "resample is 'odd'"),
        ({"score": lambda logits: logits[:, 0]}, "score= and several layers"),
        ({"layer": [0, 1]}, "score= and several layers"),
        ({"methods": ["odd"]}, "methods has 'odd'"),
        ({"rules": {"mine": jax.nn.relu}}, "cannot be told from another"),
    ]:
        with pytest.raises(ValueError, match=message):
            jv.stream(net, folder, tmp_path / "m.zarr", **given)
        assert not (tmp_path / "m.zarr").exists()
    with pytest.raises(TypeError, match="yields a int|yields a float"):
        jv.stream(net, iter([1]), tmp_path / "m.zarr")
    with pytest.raises(ValueError, match="wanted uint8 RGB"):
        jv.stream(net, [("a", np.zeros((40, 40)))], tmp_path / "m.zarr")
    with pytest.raises(ValueError, match="yields no images"):
        jv.stream(net, iter([]), tmp_path / "m.zarr")
    with pytest.raises(jv.ImageError, match="no such file"):
        jv.stream(net, tmp_path / "nothing", tmp_path / "m.zarr")
    assert not (tmp_path / "m.zarr").exists()
    with pytest.raises(jv.InputError, match="no maps are there"):
        jv.open_maps(tmp_path / "m.zarr")


def test_the_digest_is_of_all_weights():
    from jaxvis.streaming.settings import digest

    params = weights()
    seen = {digest(jax.tree_util.Partial(forward, params))}
    for number, array in itertools.product(range(3), (0, -1)):
        changed = [np.array(one) for one in params]
        changed[number].flat[array] += 1e-6
        seen.add(digest(jax.tree_util.Partial(forward, changed)))
    seen.add(digest(lambda x: forward(params, x)))  # captured, and not handed over
    assert len(seen) == 8
    assert digest(lambda x: forward(params, x)) != digest(lambda x: forward(changed, x))
    assert preprocess(np.zeros((1, *SIZE, 3), np.uint8)).dtype == np.float32
