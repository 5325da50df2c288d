"""How a character moves, planned before it is drawn: the shortcut of small packs that makes one step of drawing enough."""
