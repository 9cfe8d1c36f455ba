"""Numbers for a map: one paper a file, and controls that any map has to beat."""
