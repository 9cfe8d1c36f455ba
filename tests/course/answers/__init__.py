"""Answers that people gave, or may give, to the exercises of the notebooks in tutorials/.

A file per notebook: RIGHT, from an exercise to answers that have to be taken, however they are
written; WRONG, to answers that must not be, each with words that have to stand in what is said.
"""
