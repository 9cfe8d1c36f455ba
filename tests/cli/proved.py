"""Which options of the command a test is about; `test_options` wants every one to have a test."""

TESTED: set[str] = set()


def proves(*options: str):
    """Say which options a test is about, as "command --option" or "command argument"."""
    TESTED.update(options)
    return lambda test: test


def each(commands: str, *options: str) -> list[str]:
    return [f"{command} {option}" for command in commands.split() for option in options]
