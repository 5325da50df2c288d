"""How the actor is drawn, part by part; `training.actor.draw` puts the parts together."""
