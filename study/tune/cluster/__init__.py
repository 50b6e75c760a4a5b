"""Ray itself: connection, nodes, resources, and the code that they are sent."""
