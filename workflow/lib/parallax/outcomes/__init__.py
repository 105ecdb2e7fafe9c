"""What is compared between the arms: survival curves and effects."""
