"""The idea: a ReLU whose way back is a choice, what is differentiated, where a model is cut."""
