"""The library from a shell: parse, call, print, exit code; one file a command."""
