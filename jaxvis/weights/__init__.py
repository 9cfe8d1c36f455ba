"""Files of weights -> networks, and back."""
