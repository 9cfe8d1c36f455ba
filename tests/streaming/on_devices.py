"""Run by `test_every_device` in a process of as many devices as it is told to have: maps, saved.

python on_devices.py FILE
"""

import sys

import jax
import numpy as np
from small import SIZE, network

import jaxvis as jv
from jaxvis.streaming.devices import Devices, _one_pass_each

EACH, BATCHES = 2, 8
RNG = np.random.default_rng(5)
NETWORK = network()
WIDE = jv.describe(jv.VGG16(width=1 / 64, classes=7, size=32))  # takes its images in groups
MADE = {}


def explained(key, net, classes=None, best=1, **options):
    """Of all batches, as many at once as there are devices."""
    images = RNG.integers(0, 256, (EACH * BATCHES, *net.size, 3), dtype=np.uint8)
    x = np.asarray(net.preprocess(images))
    devices = Devices(net.model, EACH, best=best, **{"layer": net.layer, **options})
    assert devices.count == jax.local_device_count()
    rows = EACH * devices.count
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        found = devices(x[part], None if classes is None else classes[part])
        leaves = {"classes": found.classes, "logits": found.maps.logits, **found.maps}
        for name, array in leaves.items():
            MADE.setdefault(f"{key} {name}", []).append(np.asarray(array))


explained("predicted", NETWORK)
explained("given", NETWORK, classes=np.arange(16) % 7, methods=["grad_cam"])
explained("best", NETWORK, best=3, methods=["saliency"], rules=["guided"])
explained("masks", NETWORK, methods=["occlusion", "saliency"], rules=["guided"])
explained("groups", WIDE, rules=["guided"])
np.savez(sys.argv[1], **{name: np.concatenate(parts) for name, parts in MADE.items()})
assert NETWORK.size == SIZE
# One compilation serves all steps: a program for each of the four that are a single call.
assert _one_pass_each.traces == (4 if jax.local_device_count() > 1 else 0)
