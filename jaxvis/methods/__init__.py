"""How it is explained: one method a file, and the catalogue that lists them."""
