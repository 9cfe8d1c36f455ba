"""What is explained: networks, what they read, and the names of their classes."""
