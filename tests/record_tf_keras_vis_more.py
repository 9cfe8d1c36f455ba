"""Record what else the lab's own library computes: Grad-CAM++, LayerCAM, Score-CAM, SmoothGrad.

Run once, after record_tf_keras_vis.py and in the same environment:

    pip install tensorflow==2.21.0 tf-keras-vis==0.8.7 scipy==1.18.1
    python tests/record_tf_keras_vis_more.py

It writes tests/recorded/tf_keras_vis_more.npz, for `x` and `classes` of tf_keras_vis.npz. `NAME` is
of the network as it is, `scaled_NAME` of the one whose last layer is multiplied by `logit_scale`;
both end in logits (`ReplaceToLinear`), and maps are at block5_conv3, neither enlarged nor
normalised (`expand_cam=False`, `normalize_cam=False`). tests/methods/test_recorded_formulas.py
states all of this in NumPy. With A the activation (h, w, channel), g the gradient of the class's
logit y, S_c the sum of A_c over space, sums over space ("i") and channels ("c"):

grad_cam_plus_plus (gradcam_plus_plus.py)
    first = exp(y) g; second = first g; third = second g; alpha = second / (2 second + third S_c),
    where second is 0 the denominator is 1 and alpha 0; alpha is divided by its sum over space where
    that is not 0; w_c = sum_i max(first, 0) alpha; max(sum_c w_c A_c, 0). Nothing is added to keep
    the denominator from 0. Negative g take part in the sum that alpha is divided by. exp(y) is a
    factor of the map and cancels in alpha; in float32 it is infinite from y = 88.8 on, and 0 below
    -104: of the network as it is (logits from -241 to 680) the map is not a number, or 0.
layer_cam (layercam.py)
    max(sum_c max(g, 0) A_c, 0).
score_cam, score_cam_of_4 (scorecam.py)
    A_c is enlarged to the input (SciPy's zoom of order 1: aligned corners), (a - min) / (max - min
    + 1e-7), times the input, without a baseline; w_c = softmax over the *classes* of the masked
    input's outputs, at the class; max(sum_c w_c A_c, 0), A as it is. Nothing is normalised over
    channels. "of_4" is `max_N=4`: the channels of the 4 largest deviations over space of each
    image; their union over the batch is what every image of it is given.
scaled_score_cam_of_softmax
    The same where `ReplaceToLinear` is left out, of the network that ends in its softmax: w is a
    softmax of probabilities.
smooth_grad, smooth_grad_signed (saliency.py)
    x + 0.2 (max(x) - min(x)) z, image by image, the extremes over all its pixels and channels; the
    mean over 4 samples of |dy/dx|, and then the maximum over channels. "signed" is
    `gradient_modifier=None, keepdims=True`, channel 0: the mean of dy/dx. z is
    numpy.random.RandomState(noise_seed).standard_normal((4, 3, 64, 64, 3)), for the library draws
    from NumPy's global generator; `noise_corner` is z[:, :, ::16, ::16].
"""

import os
import warnings
from importlib.metadata import version

import numpy as np
from record_tf_keras_vis import HERE, narrow_vgg16

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
LAYER, LOGIT_SCALE, SAMPLES, SEED = "block5_conv3", 1 / 128, 4, 11


def record() -> None:
    import keras
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam
    from tf_keras_vis.scorecam import Scorecam
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    with np.load(HERE / "tf_keras_vis.npz") as file:
        x, classes, logits = file["x"], file["classes"], file["logits"]
    score = CategoricalScore(classes.tolist())
    raw = {"penultimate_layer": LAYER, "expand_cam": False, "normalize_cam": False}
    results = {"classes": classes, "logit_scale": np.float32(LOGIT_SCALE)}
    for prefix, scale in (("", 1), ("scaled_", LOGIT_SCALE)):
        model = narrow_vgg16(keras)
        model.load_weights(HERE / "narrow_vgg16.h5")
        last = model.layers[-1]
        last.set_weights([array * np.float32(scale) for array in last.get_weights()])
        found, activation, gradient = at_layer(keras, model, x, classes)
        assert np.allclose(found, logits * scale, rtol=1e-4)
        if not prefix:
            results["activation"] = activation
        results[f"{prefix}activation_gradient"] = gradient
        for name, method, options in (
            ("grad_cam_plus_plus", GradcamPlusPlus, {}),
            ("layer_cam", Layercam, {}),
            ("score_cam", Scorecam, {}),
            ("score_cam_of_4", Scorecam, {"max_N": 4}),
        ):
            visualiser = method(model, ReplaceToLinear(), clone=True)
            map_ = visualiser(score, x, **raw, **options)
            results[prefix + name] = np.asarray(map_, np.float32)
    results["scaled_score_cam_of_softmax"] = np.asarray(Scorecam(model)(score, x, **raw))
    results |= smooth_grad(keras, score, x)
    packages = ("tensorflow", "keras", "tf-keras-vis", "numpy", "scipy")
    results["versions"] = np.array([f"{name} {version(name)}" for name in packages])
    np.savez_compressed(HERE / "tf_keras_vis_more.npz", **results)
    for name, value in results.items():
        print(name, value.shape, value.dtype)


def smooth_grad(keras, score, x) -> dict[str, np.ndarray]:
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear

    model = narrow_vgg16(keras)
    model.load_weights(HERE / "narrow_vgg16.h5")
    saliency = Saliency(model, ReplaceToLinear(), clone=True)
    options = {"smooth_samples": SAMPLES, "smooth_noise": 0.2, "normalize_map": False}
    np.random.seed(SEED)
    absolute = saliency(score, x, **options)
    np.random.seed(SEED)
    signed = saliency(score, x, keepdims=True, gradient_modifier=None, **options)
    z = np.random.RandomState(SEED).standard_normal((SAMPLES, *x.shape))
    return {
        "noise_seed": np.array(SEED),
        "noise_corner": np.float32(z[:, :, ::16, ::16]),
        "smooth_grad": np.asarray(absolute, np.float32),
        "smooth_grad_signed": np.asarray(signed, np.float32)[..., 0],
    }


def at_layer(keras, model, x, classes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the logits, and activation and gradient at `LAYER`."""
    import tensorflow as tf

    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    twin.layers[-1].activation = keras.activations.linear
    both = keras.Model(twin.inputs, [twin.get_layer(LAYER).output, *twin.outputs])
    with tf.GradientTape() as tape:
        activation, logits = both(tf.constant(x))
        score = tf.reduce_sum(tf.gather(logits, classes, axis=1, batch_dims=1))
    gradient = tape.gradient(score, activation)
    return logits.numpy(), activation.numpy(), gradient.numpy()


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    record()
