"""A portrait in the poses of a plan: moved in its pixels before it is encoded, so that a small model need not move what it draws."""
