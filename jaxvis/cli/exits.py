"""The exit codes of the command."""

DONE, USAGE, IMAGES, WEIGHTS, OUTPUT, FAULT, INTERRUPTED = 0, 2, 3, 4, 5, 70, 130
TEXT = (
    "exit codes: 0 done, 2 wrong usage (also an unknown class, layer or colour map), 3 images, "
    "4 weights, 5 the output cannot be written, 70 a fault of jaxvis, 130 interrupted, "
    "143 terminated"
)
