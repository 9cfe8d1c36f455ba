import re

import pytest

from jaxvis.models.layers import LAYERS, architecture, layer_index, layer_shapes, summary_table


def test_total_is_the_labs():
    shapes = layer_shapes()
    assert sum(shape.parameters for shape in shapes) == 138_357_544
    table = summary_table()
    assert "Total params: 138,357,544 (527.79 MB)" in table
    assert "Trainable params: 138,357,544 (527.79 MB)" in table


def test_every_layer_is_as_keras_has_it(keras_vgg16):
    ours = layer_shapes(architecture(size=32))
    theirs = keras_vgg16.layers[1:]  # without the input layer
    assert [shape.name for shape in ours] == [layer.name for layer in theirs]
    for shape, layer in zip(ours, theirs, strict=True):
        assert shape.kind == type(layer).__name__
        assert (None, *shape.output_shape) == layer.output.shape, shape.name
        assert shape.parameters == layer.count_params(), shape.name
        if layer.weights:
            kernel, bias = layer.weights
            assert shape.kernel_shape == kernel.shape
            assert shape.bias_shape == bias.shape


def test_summary_has_the_rows_and_totals_of_keras(keras_vgg16, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")  # or it cuts its table at 80
    printed: list[str] = []
    keras_vgg16.summary(line_length=120, print_fn=lambda text, **_: printed.append(text))
    theirs = "\n".join(printed).splitlines()
    rows = {
        tuple(cell.strip() for cell in line.strip("│").split("│"))
        for line in theirs
        if line.startswith("│") and "InputLayer" not in line  # Keras numbers its input layer
    }
    ours = summary_table(architecture(size=32)).splitlines()
    cells = {tuple(cell.strip() for cell in re.split("  +", line)) for line in ours[3:-5]}
    assert len(cells) == 22
    assert cells == rows
    totals = [line.strip() for line in theirs if "params:" in line]
    assert ours[-4:-1] == totals
    assert ours[-1] == "The softmax of predictions is left off: the outputs are logits."


def test_width_scales_channels_only():
    full, narrow = layer_shapes(), layer_shapes(architecture(width=1 / 8, classes=12, fc=100))
    for one, eighth in zip(full, narrow, strict=True):
        assert one.output_shape[:-1] == eighth.output_shape[:-1]
        if one.kind == "Conv2D":
            assert eighth.output_shape[-1] * 8 == one.output_shape[-1]
    assert [shape.output_shape for shape in narrow[-3:]] == [(100,), (100,), (12,)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0.3}, "width 0.3 gives block1_conv1 19.2 channels.*choose a multiple of 1/64"),
        ({"width": 0}, "width 0 gives"),
        ({"classes": 0}, "classes is 0; wanted a whole number of at least 1"),
        ({"fc": 1.5}, "fc is 1.5; wanted a whole number of at least 1"),
        ({"size": 31}, "size is 31; wanted a whole number of at least 32"),
    ],
)
def test_impossible_architectures(options, message):
    with pytest.raises(ValueError, match=message):
        architecture(**options)


def test_unknown_layer_lists_the_names():
    assert LAYERS[layer_index("block5_conv3")].name == "block5_conv3"
    with pytest.raises(ValueError, match="has no layer 'conv5_3'; it has block1_conv1, .*fc2"):
        layer_index("conv5_3")
