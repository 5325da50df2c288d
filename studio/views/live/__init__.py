"""The Live workspace: a stage with the character, a ribbon of its states, and what one needs to talk with it."""
