"""What a run leaves on disk: the lab report, its page, its figures, all of it or nothing."""
