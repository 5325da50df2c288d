"""What is selected, in fields."""
