"""Notebook 09."""

READ = """
def read_keras3(file, layer_names):
    found = {}
    count = {"conv2d": 0, "dense": 0}
    for layer in layer_names:
        if "pool" in layer or "flatten" in layer or "input" in layer:
            continue
        stem = "conv2d" if "conv" in layer else "dense"
        LINE
        count[stem] += 1
        variables = file["layers"][group]["vars"]
        found[layer] = variables["0"][...], variables["1"][...]
    return found
"""
CFC = "def for_channel_first(kernel):\n    units = kernel.shape[1]\n    return kernel.reshape(height, width, channels, units)"


def read(line):
    return READ.replace("LINE", line)


RIGHT = {
    "read_keras3": [
        read('group = stem + (f"_{count[stem]}" if count[stem] > 0 else "")'),
        read('group = stem if count[stem] == 0 else stem + "_" + str(count[stem])').replace(
            "[...]", "[:]"
        ),
        """
        def read_keras3(file, layer_names):
            def in_order(stem):
                groups = [name for name in file["layers"] if name.startswith(stem)]
                return iter(sorted(groups, key=lambda name: int(name.removeprefix(stem).strip("_") or 0)))

            stems = {"conv2d": in_order("conv2d"), "dense": in_order("dense")}
            chosen = [name for name in layer_names if "conv" in name or name.startswith(("fc", "pred"))]
            groups = {name: next(stems["conv2d" if "conv" in name else "dense"]) for name in chosen}
            return {
                name: [np.array(file["layers"][groups[name]]["vars"][role]) for role in "01"]
                for name in chosen
            }
        """,
    ],
    "for_channel_first": [
        CFC + ".transpose(2, 0, 1, 3).reshape(kernel.shape)",
        CFC.replace("return ", "return jnp.moveaxis(") + ", 2, 0).reshape(-1, units)",
        """
        def for_channel_first(kernel):
            order = np.arange(len(kernel)).reshape(height, width, channels).transpose(2, 0, 1).ravel()
            return kernel[order]
        """,
    ],
}

WRONG = {
    "read_keras3": [
        (read('group = f"{stem}_{count[stem]}"'), "no number|conv2d_0"),
        (
            read('group = f"{stem}_{count[stem] + 1}" if count[stem] else stem'),
            "KeyError|another layer",
        ),
        (
            read(
                "group = sorted(name for name in file['layers'] if name.startswith(stem))[count[stem]]"
            ),
            "another layer",
        ),
        (
            read('group = f"{stem}_{sum(count.values())}" if sum(count.values()) else stem'),
            "KeyError|another",
        ),
        (
            read('group = f"{stem}_{count[stem]}" if count[stem] else stem')
            .replace('"0"', '"x"')
            .replace('"1"', '"0"')
            .replace('"x"', '"1"'),
            "exchanged",
        ),
        (
            read('group = f"{stem}_{count[stem]}" if count[stem] else stem').replace(
                "    return found\n", ""
            ),
            "NoneType|dictionary",
        ),
        (read('group = f"{stem}_{counts[stem]}"'), "NameError"),
        (
            read('group = f"{stem}_{count[stem]}" if count[stem] else stem').replace(
                'if "pool"', 'if "fc" in layer or "pool"'
            ),
            "missing",
        ),
    ],
    "for_channel_first": [
        (CFC + ".transpose(2, 1, 0, 3).reshape(-1, units)", "exchanged"),
        (CFC + ".transpose(3, 2, 0, 1).reshape(-1, units)", "other weights|another order"),
        (CFC + ".transpose(1, 0, 2, 3).reshape(-1, units)", "another order"),
        (CFC + ".transpose(2, 0, 1).reshape(-1, units)", "stops with"),
        (CFC + ".transpose(2, 0, 1, 3)", "shape"),
        (
            "def for_channel_first(kernel): return kernel.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(kernel.shape)",
            "another order",
        ),
        ("def for_channel_first(kernel): return kernel[::-1]", "another order"),
    ],
}
