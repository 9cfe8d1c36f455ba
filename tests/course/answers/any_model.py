"""Notebook 11."""

RIGHT = {
    "relu_input": [
        """
        def relu_input(eqn):
            if eqn.primitive.name == "max":
                for zero, other in (eqn.invars, eqn.invars[::-1]):
                    if isinstance(zero, Literal) and zero.val == 0:
                        return other
        """,
        """
        def relu_input(eqn):
            def is_zero(operand):
                return isinstance(operand, Literal) and not np.any(operand.val)
            if eqn.primitive.name != "max":
                return None
            first, second = eqn.invars
            return first if is_zero(second) else second if is_zero(first) else None
        """,
        """
        def relu_input(eqn):
            if eqn.primitive.name == "max":
                rest = [one for one in eqn.invars if not (hasattr(one, "val") and np.all(one.val == 0))]
                return rest[0] if len(rest) == 1 else None
        """,
    ],
    "only_second": [
        'def only_second(z, where): return jv.rectified_relu(z) if "block2" in where.name_stack else jax.nn.relu(z)',
        'def only_second(z, where): return jv.relu(z, jv.RECTIFIED if where.name_stack.startswith("block2") else jv.VANILLA)',
        'def only_second(z, where): return {"block2": jv.rectified_relu}.get(where.name_stack.split("/")[-1], jv.vanilla_relu)(z)',
    ],
}

FOUND = """
def relu_input(eqn):
    if eqn.primitive.name == "max":
        first, second = eqn.invars
        if isinstance(second, Literal) and np.all(second.val == 0):
            return first
        {}
    return None
"""
WRONG = {
    "relu_input": [
        (FOUND.format("return second"), "taken for"),
        (FOUND.format("if isinstance(first, Literal): return second"), "max\\(1, z\\)"),
        (
            FOUND.format("if isinstance(first, Literal) and np.all(first.val == 0): return first"),
            "the 0 is given back",
        ),
        (FOUND.format("if first.val == 0: return second"), "stops with"),
        (
            FOUND.format("if isinstance(first, Literal) and np.all(first.val == 0): return True"),
            "gives back True",
        ),
        (
            FOUND.format("")
            .replace("isinstance(second", "isinstance(first")
            .replace("second.val", "first.val")
            .replace("return first", "return second"),
            "no longer found",
        ),
        (
            FOUND.format(
                "if isinstance(first, Literal) and np.all(first.val == 0): return second"
            ).replace('if eqn.primitive.name == "max"', "if len(eqn.invars) == 2"),
            "no maximum",
        ),
        (FOUND.format("if first == 0: return second"), "not found"),
    ],
    "only_second": [
        # by number, and not by name: was taken
        (
            "def only_second(z, where): return jv.rectified_relu(z) if where.index >= 2 else jax.nn.relu(z)",
            "By its name",
        ),
        ("def only_second(z, where): return jv.rectified_relu(z)", "every ReLU"),
        (
            'def only_second(z, where): return jv.rectified_relu(z) if where.name_stack != "block2" else jax.nn.relu(z)',
            "all blocks but",
        ),
        (
            'def only_second(z, where): return jv.guided_relu(z) if where.name_stack == "block2" else jax.nn.relu(z)',
            "guided",
        ),
        (
            'def only_second(z, where): return jv.rectified_relu(z) if where == "block2" else jax.nn.relu(z)',
            "plain gradient",
        ),
        (
            'def only_second(z, where):\n    if where.name_stack == "block2":\n        return jv.rectified_relu(z)',
            "stops with|nothing",
        ),
        ("def only_second(z): return jv.rectified_relu(z)", "stops with|every ReLU"),
        (
            'def only_second(z, where): return jv.rectified_relu(z) if where.name == "block2" else jax.nn.relu(z)',
            "AttributeError",
        ),
        (
            'def only_second(z, where): return jv.rectified_relu(z) if where.name_stack != "block1" else jax.nn.relu(z)',
            "By its name|other layers",
        ),
    ],
}
