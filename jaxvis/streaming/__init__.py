"""More images than memory or one device holds."""
