"""Full-size VGG16 in Keras and in jaxvis from one file: python full_size_parity.py FILE 32|64.

Prints the largest relative difference of the logits, and of the weights after Keras has saved them
in its new layout, as JSON.
"""

import json
import sys
import tempfile
from pathlib import Path

import jax
import keras
import numpy as np

import jaxvis as jv
from jaxvis.models import reference

path, bits = Path(sys.argv[1]), int(sys.argv[2])
jax.config.update("jax_enable_x64", bits == 64)

keras.config.set_floatx(f"float{bits}")
# Random initial values would take half a minute to compile, and are loaded over at once.
keras.initializers.GlorotUniform.__call__ = keras.initializers.Zeros().__call__
twin = keras.applications.VGG16(weights=None, classifier_activation=None)
twin.load_weights(path)
model = jv.load_vgg16(path, param_dtype=np.dtype(f"float{bits}"), precision="highest")
x = np.random.Generator(np.random.PCG64(0)).normal(0, 60, (1, 224, 224, 3)).astype(f"float{bits}")
theirs, ours = np.asarray(twin(x)), np.asarray(model(x))
result = {"logits": float(np.abs(ours - theirs).max() / np.abs(theirs).max())}
assert ours.dtype == theirs.dtype == x.dtype

keras.config.set_floatx("float32")
with tempfile.TemporaryDirectory() as folder:
    result["new layout"] = 0.0
    if bits == 32:
        twin.save_weights(Path(folder) / "vgg16.weights.h5")
        again = reference.weights_of(jv.load_vgg16(Path(folder) / "vgg16.weights.h5"))
        for name, arrays in reference.weights_of(model).items():
            for array, other in zip(arrays, again[name], strict=True):
                result["new layout"] = max(result["new layout"], float(np.abs(array - other).max()))
print(json.dumps(result))
