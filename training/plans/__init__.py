"""Plans: stages in order under one limit of time, each measured before and after and taken on only where it got better."""
