"""Preferences (paper 3.2): candidates, their exact scores on the actor, winners by Pareto dominance, and the file of pairs."""
