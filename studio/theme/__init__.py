"""How the studio looks: colours, style sheet and icons, dark and light, following the system."""
