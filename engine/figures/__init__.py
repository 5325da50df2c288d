"""What a model of a given size costs, before a single weight is there: parameters, work, tokens, memory."""
