"""What the lessons in tutorials/ lean on: checks of exercises, and what was measured for them."""
